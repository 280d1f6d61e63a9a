"""Why no Kafka client gets through: client libraries tell a failed login as "unable to bootstrap".

It opens one connection, step by step as a client does (TCP, TLS, SASL), and tells the first step that fails.
"""

import socket
import ssl
import struct
from typing import Any, Final

from schemas.errors import TouchlineError
from schemas.kafka_security import (
    OAUTHBEARER,
    bootstrap_servers,
    mechanism_of,
    ssl_context,
    sync_client_options,
    tokens_of,
)
from schemas.settings import Settings

TIMEOUT_SECONDS: Final = 5.0
_API_VERSIONS, _METADATA, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = 18, 3, 17, 36
_UNSUPPORTED_MECHANISM: Final = 33
_LONGEST: Final = 1 << 20  #: bytes of an answer: what does not speak Kafka may claim any length


def why_unreachable(settings: Settings) -> str:
    """What keeps clients from the first bootstrap server that accepts connections; empty if they get through.

    A clause, to stand behind a colon: "its certificate is not trusted (self-signed certificate): …". Blocks for some
    TIMEOUT_SECONDS at most. Shows no secret.
    """
    for address in bootstrap_servers(settings):
        host, _, port = address.rpartition(":")
        try:
            raw = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_SECONDS)
        except OSError:
            continue
        with raw:
            try:
                return _step_by_step(settings, raw, host.strip("[]"))
            except TouchlineError as error:
                return str(error)
    return "nothing answers there: start it, or set TOUCHLINE_KAFKA_BROKERS"


def _step_by_step(settings: Settings, raw: socket.socket, host: str) -> str:
    context = ssl_context(settings)
    stream = raw
    if context is not None:
        try:
            stream = context.wrap_socket(raw, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            return f"its certificate is not trusted ({error.verify_message}): check TOUCHLINE_KAFKA_CA"
        except (ssl.SSLError, OSError) as error:
            return (
                f"it does not speak TLS here ({_said(error)}): check the port, and TOUCHLINE_KAFKA_SECURITY"
            )
    with stream:
        try:
            _ask(stream, _API_VERSIONS, 0, b"")
        except OSError as error:
            if context is None:
                return "it does not take plaintext here: set TOUCHLINE_KAFKA_SECURITY to ssl or sasl_ssl"
            return f"it does not take this client's certificate ({_said(error)}): check TOUCHLINE_KAFKA_CERTIFICATE"
        if mechanism_of(settings):
            return _log_in(settings, stream)
        try:
            _ask(stream, _METADATA, 4, struct.pack(">iB", 0, 0))
        except OSError:
            return "it wants a login: set TOUCHLINE_KAFKA_SECURITY to sasl_ssl, TOUCHLINE_KAFKA_USER and _PASSWORD"
    return ""


def _log_in(settings: Settings, stream: socket.socket) -> str:
    mechanism = mechanism_of(settings)
    try:
        answer = _ask(stream, _SASL_HANDSHAKE, 1, _text(mechanism))
    except OSError:
        return "it wants no login here: check the port, and set TOUCHLINE_KAFKA_SECURITY to ssl or plaintext"
    (code,) = struct.unpack_from(">h", answer)
    if code == _UNSUPPORTED_MECHANISM:
        return f"it does not know {mechanism}: set TOUCHLINE_KAFKA_MECHANISM to one of {', '.join(_names(answer))}"
    if mechanism == OAUTHBEARER:
        tokens_of(settings).token()  # tells by itself why there is none
    exchange = _exchange(settings)
    try:
        while not exchange.is_done():
            token = exchange.auth_bytes()
            answer = _ask(stream, _SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
            (code, length) = struct.unpack_from(">hh", answer)
            at = 4 + max(length, 0)
            if code:
                return _refused(settings, answer[4:at].decode(errors="replace"))
            exchange.receive(answer[at + 4 :])
    except (OSError, ValueError) as error:
        return _refused(settings, _said(error))
    return ""


def _exchange(settings: Settings) -> Any:
    from kafka.net.sasl import get_sasl_mechanism

    return get_sasl_mechanism(mechanism_of(settings))(host="", **sync_client_options(settings))


def _refused(settings: Settings, said: str) -> str:
    if settings.kafka_mechanism == OAUTHBEARER:
        return f"it refuses the token ({said}): check TOUCHLINE_KAFKA_TOKEN"
    return (
        f"it refuses user {settings.kafka_user!r} ({said}): check TOUCHLINE_KAFKA_USER, TOUCHLINE_KAFKA_PASSWORD and"
        " TOUCHLINE_KAFKA_MECHANISM"
    )


def _ask(stream: socket.socket, api: int, version: int, body: bytes) -> bytes:
    """The answer to one request, without its header. Raises OSError if there is none."""
    request = struct.pack(">hhi", api, version, 1) + _text("touchline-probe") + body
    stream.sendall(struct.pack(">i", len(request)) + request)
    (size,) = struct.unpack(">i", _read(stream, 4))
    if not 4 <= size <= _LONGEST:
        raise ConnectionError("what answers is no Kafka broker")
    return _read(stream, size)[4:]


def _read(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = stream.recv(size - len(found))
        if not part:
            raise ConnectionError("the connection was closed")
        found += part
    return found


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def _names(answer: bytes) -> list[str]:
    """The mechanisms in the answer to a handshake."""
    (count,) = struct.unpack_from(">i", answer, 2)
    names, at = [], 6
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        names.append(answer[at + 2 : at + 2 + length].decode(errors="replace"))
        at += 2 + length
    return names


def _said(error: Exception) -> str:
    """An error in a few words on one line."""
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return " ".join(str(reason).split())
