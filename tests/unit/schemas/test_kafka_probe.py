"""The probe names the first step that fails; a real broker is in tests/integration/test_secure.py."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from schemas.kafka_probe import why_unreachable
from schemas.settings import Settings

API_VERSIONS, METADATA, HANDSHAKE, AUTHENTICATE = 18, 3, 17, 36
Answer = Callable[[int], bytes | None]


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


@contextmanager
def broker(answer: Answer) -> Iterator[str]:
    """A server that answers a request by its number with these bytes behind the header, or closes for None."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while size := connection.recv(4):
                request = connection.recv(struct.unpack(">i", size)[0])
                body = answer(struct.unpack_from(">h", request)[0])
                if body is None:
                    return
                connection.sendall(struct.pack(">ii", 4 + len(body), 1) + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def login(address: str, mechanism: str = "PLAIN") -> Settings:
    return Settings(
        brokers=address, kafka_security="sasl_plaintext", kafka_plaintext="allow", kafka_mechanism=mechanism,
        kafka_user="ann", kafka_password="hunter2",
    )  # fmt: skip


def test_where_nothing_listens_nothing_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    assert why_unreachable(Settings(brokers=address)).startswith("nothing answers there")


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        ({}, "it does not take plaintext here: set TOUCHLINE_KAFKA_SECURITY"),
        ({API_VERSIONS: b""}, "it wants a login: set TOUCHLINE_KAFKA_SECURITY to sasl_ssl"),
        ({API_VERSIONS: b"", METADATA: b""}, ""),
    ],
)
def test_a_client_without_a_login_is_told_what_the_broker_wants(answered: dict[int, bytes], why: str) -> None:
    with broker(answered.get) as address:
        found = why_unreachable(Settings(brokers=address))
    assert found.startswith(why)
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    ("answered", "why"),
    [
        ({API_VERSIONS: b""}, "it wants no login here"),
        (
            {API_VERSIONS: b"", HANDSHAKE: struct.pack(">hi", 33, 2) + text("SCRAM-SHA-512") + text("OAUTHBEARER")},
            "it does not know PLAIN: set TOUCHLINE_KAFKA_MECHANISM to one of SCRAM-SHA-512, OAUTHBEARER",
        ),
        (
            {
                API_VERSIONS: b"", HANDSHAKE: struct.pack(">hi", 0, 1) + text("PLAIN"),
                AUTHENTICATE: struct.pack(">h", 58) + text("no such user") + struct.pack(">i", 0),
            },
            "it refuses user 'ann' (no such user): check TOUCHLINE_KAFKA_USER",
        ),
        (
            {
                API_VERSIONS: b"", HANDSHAKE: struct.pack(">hi", 0, 1) + text("PLAIN"),
                AUTHENTICATE: struct.pack(">hhi", 0, -1, 0),
            },
            "",
        ),
    ],
)  # fmt: skip
def test_a_login_that_fails_is_told_without_its_password(answered: dict[int, bytes], why: str) -> None:
    with broker(answered.get) as address:
        found = why_unreachable(login(address))
    assert found.startswith(why)
    assert bool(found) == bool(why)
    assert "hunter2" not in found


def test_what_speaks_another_protocol_is_not_waited_for() -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert why_unreachable(Settings(brokers=address)).startswith("it does not take plaintext here")
