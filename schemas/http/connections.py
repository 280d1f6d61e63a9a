"""A limit on open connections: one too many is told to come back, and one that asks nothing is closed.

aiohttp accepts as many as come, and waits for a first request for ever.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from aiohttp import web

from schemas.http.json_bytes import json_bytes
from schemas.http.problems import RETRY_SECONDS, ProblemError

#: Seconds for which a refused connection stays open, so that its sender reads the answer, and how many may do so.
LINGER_SECONDS: Final = 2.0
LINGERING: Final = 100
_BACKLOG: Final = 512  #: connections that the operating system holds until they are accepted


class Connections:
    """Counts open connections, and knows those that have not asked anything yet."""

    def __init__(self, most: int, head_seconds: float, busy: str, log: logging.Logger) -> None:
        """`most` may be open; a first request must begin within `head_seconds`; `busy`: what one too many is told."""
        self._most = most
        self._head_seconds = head_seconds
        self._answer = _answer(busy)
        self._log = log
        self._silent: set[asyncio.BaseProtocol] = set()
        self._lingering: set[asyncio.BaseProtocol] = set()
        self._full = False  #: whether the newest connection was refused

    def asked(self, request: web.BaseRequest) -> None:
        """Note that the head of a request has come on its connection."""
        self._silent.discard(request.protocol)

    async def listen(
        self, runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> asyncio.Server:
        """Listen for a runner that is set up. Raises OSError. Close the server before the runner."""
        server = runner.server
        assert server is not None
        loop = asyncio.get_running_loop()

        def connected() -> asyncio.BaseProtocol:
            # before its TLS handshake aiohttp does not know a connection
            known = {*server.connections, *(self._silent if tls else ())}
            return self._accept(server) if self._has_room(len(known)) else self._refuse()

        handshake = self._head_seconds if tls else None
        return await loop.create_server(
            connected, host, port, ssl=tls, backlog=_BACKLOG, ssl_handshake_timeout=handshake
        )

    def _has_room(self, count: int) -> bool:
        full = count >= self._most
        if full and not self._full:
            self._log.warning("%d connections are open, the limit: more are answered 503", self._most)
        self._full = full
        return not full

    def _accept(self, server: "web.Server") -> asyncio.BaseProtocol:
        handler = server()
        self._silent.add(handler)
        asyncio.get_running_loop().call_later(self._head_seconds, self._close_if_silent, handler)
        return handler

    def _close_if_silent(self, handler: "web.RequestHandler") -> None:
        if handler in self._silent:
            self._silent.discard(handler)
            if handler.transport is not None:
                handler.transport.close()

    def _refuse(self) -> asyncio.BaseProtocol:
        stay = len(self._lingering) < LINGERING
        refusal = _Refusal(self._answer, LINGER_SECONDS if stay else 0.0, self._lingering.discard)
        if stay:
            self._lingering.add(refusal)
        return refusal


class _Refusal(asyncio.Protocol):
    """Answers 503 whatever is asked, and closes after `seconds`: closed at once, a sender may miss the answer."""

    def __init__(self, answer: bytes, seconds: float, closed: Callable[["_Refusal"], None]) -> None:
        self._answer = answer
        self._seconds = seconds
        self._closed = closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._answer)
        asyncio.get_running_loop().call_later(self._seconds, transport.close)

    def connection_lost(self, _: Exception | None) -> None:
        self._closed(self)


def _answer(detail: str) -> bytes:
    body = json_bytes(ProblemError(503, "busy", detail, RETRY_SECONDS).document())
    return (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: {RETRY_SECONDS}\r\nConnection: close\r\n\r\n"
    ).encode() + body
