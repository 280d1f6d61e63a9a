"""An OIDC token endpoint on loopback, over TLS: client credentials in, a bearer token out."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from deploy.ports import LOOPBACK
from tests.support.certificates import Signed

#: Status, headers and body of an answer.
Answer = tuple[int, dict[str, str], bytes]


def as_json(document: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


class TokenServer:
    """Knows one client. `answer` makes the answer to a good request; `asked` has the forms of all of them."""

    def __init__(self, certificate: Signed, client: str, secret: str, answer: Callable[[], Answer]) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.refused = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, headers, body = endpoint.answered(self.headers["Authorization"], form, answer)
                self.send_response(status)
                for name, value in (*headers.items(), ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._wanted = [client, secret]
        self.server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://{LOOPBACK}:{self.server.server_address[1]}/token"

    def answered(self, authorization: str, form: str, answer: Callable[[], Answer]) -> Answer:
        """The answer to a request."""
        kind, _, encoded = authorization.partition(" ")
        given = [unquote_plus(part) for part in base64.b64decode(encoded).decode().split(":")]
        if kind != "Basic" or given != self._wanted:
            self.refused += 1
            return as_json({"error": "invalid_client"}, 401)
        self.asked.append(parse_qs(form))
        return answer()


@contextmanager
def token_server(
    certificate: Signed, client: str, secret: str, answer: Callable[[], Answer]
) -> Iterator[TokenServer]:
    """An endpoint that listens."""
    running = TokenServer(certificate, client, secret, answer)
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        running.server.shutdown()
        running.server.server_close()
        thread.join()
