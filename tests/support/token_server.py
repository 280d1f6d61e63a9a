"""An OIDC token endpoint on loopback, over TLS: client credentials in, a bearer token out."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tests.support.certificates import Signed
from tests.support.http_serving import QuietHandler, serving

#: Status, headers and body of an answer.
Answer = tuple[int, dict[str, str], bytes]


def as_json(document: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


class TokenServer:
    """Knows one client. `answer` makes the answer to a good request; `asked` has the forms of all of them."""

    def __init__(self, client: str, secret: str, answer: Callable[[], Answer]) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.refused = 0
        self.url = ""
        self._wanted = [client, secret]
        self._answer = answer

    def answered(self, authorization: str, form: str) -> Answer:
        """The answer to a request."""
        kind, _, encoded = authorization.partition(" ")
        given = [unquote_plus(part) for part in base64.b64decode(encoded).decode().split(":")]
        if kind != "Basic" or given != self._wanted:
            self.refused += 1
            return as_json({"error": "invalid_client"}, 401)
        self.asked.append(parse_qs(form))
        return self._answer()


@contextmanager
def token_server(
    certificate: Signed, client: str, secret: str, answer: Callable[[], Answer]
) -> Iterator[TokenServer]:
    """An endpoint that listens."""
    running = TokenServer(client, secret, answer)

    class Handler(QuietHandler):
        def respond(self) -> None:
            status, headers, body = running.answered(self.headers["Authorization"], self.body().decode())
            self.answer(status, body, headers)

    with serving(Handler, tls=certificate) as url:
        running.url = f"{url}/token"
        yield running
