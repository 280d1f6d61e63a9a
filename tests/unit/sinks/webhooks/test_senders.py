"""Real sockets: what a receiver may do to the service, and what it gets."""

import asyncio
import socketserver
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook

from deploy.ports import free_port
from sinks.webhooks.endpoints import Endpoint, Mail
from sinks.webhooks.http_sender import MAX_ANSWER, HttpSender
from sinks.webhooks.mail_sender import MailSender
from sinks.webhooks.signing import secret_of
from sinks.webhooks.verdicts import Reason, Verdict
from tests.support.webhooks import SECRET, endpoint

KEY = secret_of(SECRET)
assert KEY is not None
BODY = b'{"type": "signal.raised"}'
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sent_to(answer: Answer, **fields: Any) -> Verdict:
    """What one attempt to a receiver on loopback becomes."""

    async def attempt() -> Verdict:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            return await post(receiver(runner.addresses[0][1], **fields))
        finally:
            await runner.cleanup()

    return asyncio.run(attempt())


def receiver(port: int, host: str = "127.0.0.1", path: str = "/hook", **fields: Any) -> Endpoint:
    return endpoint(
        url=f"http://{host}:{port}{path}",
        secrets=(KEY,),
        **({"allow_private": True, "timeout": 5.0} | fields),
    )


async def post(to: Endpoint) -> Verdict:
    sender = HttpSender(to)
    try:
        return await sender.send("msg_1", BODY)
    finally:
        await sender.close()


def test_a_receiver_gets_a_signed_post_that_the_reference_library_verifies() -> None:
    got: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        got.update(body=await request.read(), headers=dict(request.headers), method=request.method)
        return web.Response(status=204)

    verdict = sent_to(answer, headers=(("Authorization", "Bearer x"),))

    assert verdict.confirmed
    assert verdict.code == 204
    assert Webhook(SECRET).verify(got["body"], got["headers"]) == {"type": "signal.raised"}
    assert got["method"] == "POST"
    assert got["headers"]["Authorization"] == "Bearer x"
    assert got["headers"]["Content-Type"] == "application/json"


def test_no_redirect_is_followed() -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    verdict = sent_to(answer)

    assert (verdict.reason, verdict.code, asked) == (Reason.HTTP_3XX, 307, ["/hook"])


def test_an_answer_without_end_costs_its_beginning_alone() -> None:
    written = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(100_000):
                await response.write(b"x" * 1024)
                written += 1024
        except ConnectionError:
            pass
        return response

    verdict = sent_to(answer)

    assert verdict.confirmed
    assert len(verdict.answer) == 200
    assert MAX_ANSWER <= written < 10_000_000


def test_a_receiver_that_never_answers_costs_the_timeout() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    assert sent_to(answer, timeout=0.2).reason is Reason.TIMEOUT


def test_a_body_that_drips_costs_the_timeout() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(300):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    verdict = sent_to(answer, timeout=0.3)
    assert verdict.reason is Reason.TIMEOUT
    assert verdict.unsure


def test_a_connection_that_ends_after_the_request_leaves_it_open_whether_it_arrived() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    verdict = sent_to(answer)
    assert verdict.reason is Reason.UNREACHABLE
    assert verdict.unsure


def test_a_port_without_a_receiver_has_got_nothing() -> None:
    verdict = asyncio.run(post(receiver(1)))
    assert verdict.reason is Reason.UNREACHABLE
    assert not verdict.unsure


def test_retry_after_is_passed_on() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    verdict = sent_to(answer)
    assert (verdict.reason, verdict.retry_after_ms) == (Reason.BUSY, 7000)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "0", "[::ffff:127.0.0.1]",
        "\N{FULLWIDTH DIGIT ONE}27.0.0.1", "127\N{IDEOGRAPHIC FULL STOP}0.0.1", "①②⑦.⓪.⓪.①",
    ],
)  # fmt: skip
def test_loopback_is_refused_by_any_name_unless_the_endpoint_says_so(host: str) -> None:
    async def attempts() -> Verdict:
        connected: list[Any] = []
        server = await asyncio.start_server(lambda *streams: connected.append(streams), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        verdict = await post(receiver(port, host, allow_private=False))
        server.close()
        assert connected == []
        return verdict

    verdict = asyncio.run(attempts())
    assert not verdict.confirmed
    assert not verdict.unsure
    assert verdict.reason is Reason.ADDRESS
    if host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        assert "allow_private" in verdict.answer


SECRET_PATH = "/services/T0123/B4567/0123456789abcdef"


@pytest.mark.parametrize("way", ["echoed", "nonsense"])
def test_nothing_that_the_endpoint_keeps_secret_gets_into_the_delivery_log(way: str) -> None:
    """The path is the secret of Slack; receivers say `Cannot POST /path`, and errors name the whole address."""

    async def answer(request: web.Request) -> web.Response:
        if way == "echoed":
            token = request.headers["Authorization"].removeprefix("Bearer ")
            return web.Response(status=404, text=f"Cannot POST {request.raw_path}, {token} may not")
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 \xff\xfe nonsense\r\n\r\n")  # type: ignore[attr-defined]
        request.transport.close()
        return web.Response()

    headers = (("Authorization", "Bearer 0123456789abcdefgh"),)
    verdict = sent_to(answer, path=SECRET_PATH, headers=headers)
    assert verdict.answer
    assert not verdict.confirmed
    assert SECRET_PATH not in verdict.answer
    assert "0123456789" not in verdict.answer
    verdict.answer.encode()


class Mailbox:
    """A mail server's handler: refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.reply = "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        if self.reply.startswith("250"):
            self.letters.append(envelope.content.decode())
        return self.reply


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, controller.port
    controller.stop()


def mail(port: int, **fields: Any) -> Verdict:
    found = Mail(
        "127.0.0.1", port, tls=False, starttls=False, sender="a@shop.example", recipients=("d@x.example",)
    )
    to = endpoint(url="smtp://127.0.0.1", mail=found, **({"allow_private": True, "timeout": 5.0} | fields))
    return asyncio.run(MailSender(to).send("msg_1", "Subject: Grüße\n\nbody\n".encode()))


def test_a_mail_arrives_with_its_id(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    assert mail(port).confirmed
    (letter,) = box.letters
    assert "Message-ID: <msg_1@shop.example>" in letter
    assert "To: d@x.example" in letter


@pytest.mark.parametrize(
    ("reply", "reason", "final"),
    [("451 later", Reason.BUSY, False), ("554 never", Reason.HTTP_4XX, True)],
)
def test_a_mail_server_s_refusal_is_final_or_not(
    mailbox: tuple[Mailbox, int], reply: str, reason: Reason, final: bool
) -> None:
    box, port = mailbox
    box.reply = reply
    verdict = mail(port)

    assert (verdict.reason, verdict.final, verdict.code) == (reason, final, int(reply[:3]))


def test_mail_goes_to_no_private_address_and_its_outage_is_one(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    assert mail(port, allow_private=False).reason is Reason.ADDRESS
    assert mail(1).reason is Reason.UNREACHABLE
    assert box.letters == []


def test_a_server_that_cannot_encrypt_gets_no_mail(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    found = Mail(
        "127.0.0.1", port, tls=False, starttls=True, sender="a@b.example", recipients=("c@d.example",)
    )
    verdict = asyncio.run(
        MailSender(endpoint(mail=found, allow_private=True)).send("msg_1", b"Subject: x\n\ny")
    )

    assert verdict.reason is Reason.UNREACHABLE
    assert not verdict.unsure
    assert box.letters == []


@contextmanager
def talking_server(say: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """A mail server on loopback that answers each command as `say` does; None: by lines without end."""

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    answer = say(line)
                    while answer is None:
                        self.wfile.write(b"250-and more\r\n")
                        time.sleep(0.05)
                    self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_mail_that_the_server_has_taken_is_delivered_whatever_it_says_to_the_farewell() -> None:
    body = False

    def say(line: bytes) -> bytes:
        nonlocal body
        command = line[:4].upper().strip()
        if body:
            body = line != b".\r\n"
            return b"" if body else b"250 taken\r\n"
        body = command == b"DATA"
        return {b"DATA": b"354 go on\r\n", b"QUIT": b"421 too busy\r\n"}.get(command, b"250 OK\r\n")

    with talking_server(say) as port:
        assert mail(port).confirmed


def test_a_mail_server_that_drips_costs_the_timeout_and_a_thread_that_ends() -> None:
    """Each line comes within a socket's timeout, the answer never."""

    before = time.monotonic()
    with talking_server(lambda _: None) as port:
        verdict = mail(port, timeout=0.3)
    assert verdict.reason is Reason.TIMEOUT
    assert not verdict.unsure, "no mail was begun"
    assert time.monotonic() - before < 5
