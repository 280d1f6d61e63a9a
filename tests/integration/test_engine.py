"""The sandbox's ClickHouse is clickhouse-local, which by itself ends at the first client that it cannot greet."""

import random
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.ports import LOOPBACK
from deploy.sandbox import ClickHouseServer, Process
from schemas.errors import UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect
from tests.integration.processes import wait_until

TIMES = 40
#: Of the native protocol, as the sandbox's engine speaks it; with it a client says its quota key after the greeting.
REVISION = 54468
Random = random.Random


def number(value: int) -> bytes:
    found = b""
    while value >= 128:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def text(value: str) -> bytes:
    return number(len(value)) + value.encode()


def greeting(database: str = "", user: str = "default", password: str = "") -> bytes:
    about = number(0) + text("a test") + number(1) + number(1) + number(REVISION)
    return about + text(database) + text(user) + text(password)


def reset(client: socket.socket) -> None:
    """Close it so that the server's next read or write fails."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answered(client: socket.socket) -> None:
    client.recv(65_536)


def said(client: socket.socket, hello: bytes) -> None:
    client.sendall(hello)
    answered(client)


def gone_before_it_was_asked(client: socket.socket, _: Random) -> None:
    said(client, greeting())
    reset(client)


def gone_within_its_key(client: socket.socket, _: Random) -> None:
    said(client, greeting())
    client.sendall(number(100) + b"not so many")
    reset(client)


def cut_while_an_answer_is_written(client: socket.socket, drawn: Random) -> None:
    said(client, greeting())
    client.sendall(text("") + number(77))  # a packet that does not exist is answered by an exception
    client.settimeout(drawn.random() / 20 + 0.001)
    try:
        answered(client)
    except TimeoutError:
        reset(client)


#: What a client may do to the native port.
NATIVE: dict[str, Callable[[socket.socket, Random], None]] = {
    "a wrong password": lambda client, _: said(client, greeting(password="wrong")),
    "an unknown user": lambda client, _: said(client, greeting(user="nobody")),
    "an unknown database": lambda client, _: said(client, greeting(database="nowhere")),
    "bytes that are no greeting": lambda client, drawn: said(client, b"\x11" + drawn.randbytes(200)),
    "a text of a terabyte": lambda client, _: said(client, number(0) + number(2**40) + b"x"),
    "half a greeting": lambda client, _: client.sendall(greeting()[:7]),
    "HTTP": lambda client, _: said(client, b"GET / HTTP/1.0\r\n\r\n"),
    "gone before it was asked": gone_before_it_was_asked,
    "gone within its key": gone_within_its_key,
    "cut while an answer is written": cut_while_an_answer_is_written,
}
#: And to the port for HTTP.
HTTP: dict[str, Callable[[socket.socket, Random], None]] = {
    "bytes that are no request": lambda client, drawn: said(client, drawn.randbytes(300)),
    "a wrong password over HTTP": lambda client, _: said(
        client, b"GET /?query=SELECT+1&user=nobody&password=x HTTP/1.1\r\nHost: x\r\n\r\n"
    ),
    "half a body": lambda client, _: client.sendall(
        b"POST /?query=SELECT+1+FORMAT+TSV HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1\t2\n"
    ),
}


def attack(server: ClickHouseServer, times: int) -> tuple[int, str]:
    """Play everything so many times. Returns how often until the engine ended, and by what."""
    drawn, played = Random(1), 0
    for what, act, port in (
        *((what, act, server.port) for what, act in NATIVE.items()),
        *((what, act, server.http_port) for what, act in HTTP.items()),
    ):
        for _ in range(times):
            played += 1
            try:
                with socket.create_connection((LOOPBACK, port), 10) as client:
                    client.settimeout(10)
                    act(client, drawn)
            except OSError:
                pass  # it may close the connection at any time
            if server.process is None or not server.process.alive:
                return played, what
    return played, ""


def test_no_client_that_cannot_be_greeted_ends_the_engine(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path / "data", tmp_path)
    server.start()
    try:
        assert server.process is not None
        pid = server.process.pid
        played, ended_by = attack(server, TIMES)
        assert not ended_by
        assert played == TIMES * (len(NATIVE) + len(HTTP))
        connect(ClickHouse.from_url(server.url), use=False).disconnect()
        assert server.process.pid == pid
    finally:
        server.stop()


class WithoutTerminal(ClickHouseServer):
    """The same engine as one would start it."""

    def _prepare(self) -> list[str]:
        command = super()._prepare()
        return command[command.index("-S") + 2 :]


@pytest.mark.soak
@pytest.mark.parametrize("what", ["a wrong password", "an unknown database", "gone before it was asked"])
def test_without_a_terminal_each_of_these_alone_ends_it(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.integration.test_engine.NATIVE", {what: NATIVE[what]})
    server = WithoutTerminal(tmp_path / "data", tmp_path)
    server.start()
    try:
        assert server.process is not None
        played, ended_by = attack(server, TIMES)
        process: Process = server.process
        wait_until(lambda: not process.alive)
        assert process.returncode == -signal.SIGABRT, (played, ended_by)
        with pytest.raises(UnavailableError):
            connect(ClickHouse.from_url(server.url), use=False)
    finally:
        server.kill()
