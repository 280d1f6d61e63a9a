"""Open connections have a limit: one too many hears 503, and one that asks nothing is closed."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.http import connections
from streams.collect.limits import Limits
from streams.collect.run import tls_context
from tests.support.collector_serving import Client, serving

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Sender:
    """Opens connections to the collector, all of which are closed in the end."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._opened: list[Streams] = []

    async def connect(self, tls: ssl.SSLContext | None = None) -> Streams:
        host, port = self._client.url.removeprefix("http://").split(":")
        self._opened.append(await asyncio.open_connection(host, int(port), ssl=tls))
        return self._opened[-1]

    async def close(self) -> None:
        for _, writer in self._opened:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def limited(tls: ssl.SSLContext | None = None, **limits: Any) -> AsyncIterator[Sender]:
    async with serving(Limits(**limits), tls=tls) as client:
        sender = Sender(client)
        try:
            yield sender
        finally:
            await sender.close()


async def ask(streams: Streams, request: bytes = HEALTH) -> bytes:
    reader, writer = streams
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
    return head + await reader.readexactly(length)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has closed, within a moment."""
    try:
        return await asyncio.wait_for(reader.read(), 0.3) is not None
    except TimeoutError:
        return False


def test_one_connection_too_many_is_told_to_come_back_and_later_there_is_room_again() -> None:
    async def body() -> None:
        async with limited(connections=3) as sender:
            held = [await sender.connect() for _ in range(3)]
            assert [(await ask(one))[9:12] for one in held] == [b"200"] * 3
            refused = await ask(await sender.connect())
            assert refused[9:12] == b"503"
            assert b"Retry-After: 2\r\n" in refused
            assert b'"code":"busy"' in refused
            assert (await ask(held[0]))[9:12] == b"200", "those that are open go on"
            held[1][1].close()
            await asyncio.sleep(0.1)
            assert (await ask(await sender.connect()))[9:12] == b"200"

    asyncio.run(body())


def test_who_sends_a_large_body_before_it_listens_reads_the_503_too() -> None:
    async def body() -> None:
        async with limited(connections=1) as sender:
            held = await sender.connect()
            await ask(held)
            post = b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
            assert (await ask(await sender.connect(), post))[9:12] == b"503"

    asyncio.run(body())


def test_refused_connections_that_stay_to_be_read_have_a_limit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGERING", 2)

    async def body() -> None:
        async with limited(connections=1) as sender:
            await ask(await sender.connect())
            refused = [await sender.connect() for _ in range(6)]
            for reader, _ in refused:
                assert (await reader.readexactly(12))[9:] == b"503"
            assert [await is_closed(reader) for reader, _ in refused] == [False] * 2 + [True] * 4

    asyncio.run(body())


@pytest.mark.parametrize("sent", [b"", b"POST /v1/batch HTTP/1.1\r\nHost: x\r\n"])
def test_a_connection_whose_first_request_does_not_come_is_closed(sent: bytes) -> None:
    async def body() -> None:
        async with limited(connections=1, head_seconds=0.2) as sender:
            reader, writer = await sender.connect()
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 5) == b""
            await asyncio.sleep(0.05)
            assert (await ask(await sender.connect()))[9:12] == b"200"

    asyncio.run(body())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl on PATH")
    folder = tmp_path_factory.mktemp("tls")
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*request, *files], check=True, capture_output=True)
    return folder


def test_over_tls_a_connection_counts_before_its_handshake_and_is_closed_without_one(
    certificate: Path,
) -> None:
    server = tls_context(str(certificate / "cert.pem"), str(certificate / "key.pem"))
    trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    trusted.check_hostname = False

    async def body() -> None:
        async with limited(server, connections=1, head_seconds=1.0) as sender:
            assert (await ask(await sender.connect(trusted)))[9:12] == b"200"
        async with limited(server, connections=1, head_seconds=1.0) as sender:
            reader, _ = await sender.connect()
            await asyncio.sleep(0.1)
            assert (await ask(await sender.connect(trusted)))[9:12] == b"503"
            assert await asyncio.wait_for(reader.read(), 5) == b""
            await asyncio.sleep(0.1)
            assert (await ask(await sender.connect(trusted)))[9:12] == b"200"

    asyncio.run(body())


def test_a_connection_that_has_asked_stays_between_requests_until_it_idles_too_long() -> None:
    async def body() -> None:
        async with limited(head_seconds=0.1, idle_seconds=0.6) as sender:
            streams = await sender.connect()
            for _ in range(3):
                assert (await ask(streams))[9:12] == b"200"
                await asyncio.sleep(0.2)
            assert await asyncio.wait_for(streams[0].read(), 5) == b""

    asyncio.run(body())
