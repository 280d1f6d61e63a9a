"""An HTTP server on loopback for the length of a `with`, for tests that play what Touchline talks to."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from deploy.ports import LOOPBACK
from tests.support.certificates import Signed

#: Seconds after which the server notices that it is to end.
LOOK_SECONDS = 0.02


class QuietHandler(BaseHTTPRequestHandler):
    """A handler that logs no request and takes GET, POST and PUT alike."""

    def respond(self) -> None:
        """Answer a request: what a test plays."""

    def do_POST(self) -> None:
        """Answer a request."""
        self.respond()

    do_GET = do_PUT = do_POST  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler], port: int = 0, tls: Signed | None = None) -> Iterator[str]:
    """Serve requests by a handler. Gives the server's URL, without a path."""
    server = ThreadingHTTPServer((LOOPBACK, port), handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
