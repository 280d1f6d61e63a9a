"""Requests to a Confluent-compatible schema registry."""

import base64
import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from schemas.errors import SettingsError, UnavailableError

TIMEOUT_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 256 * 1024
MAX_SAID: Final = 500
_JSON: Final = "application/vnd.schemaregistry.v1+json"


class Answer(NamedTuple):
    """What the registry answered. `body` is None if it is larger than MAX_ANSWER_BYTES."""

    status: int
    body: Any


class RegistryHttp:
    """One registry. Its URL may hold `user:password@`, which no error shows."""

    def __init__(self, url: str) -> None:
        """Raise SettingsError for a URL that is not HTTP."""
        if not url.startswith(("http://", "https://")):
            raise SettingsError(f"TOUCHLINE_REGISTRY_URL is {url!r}: it must begin with http:// or https://")
        parts = urlsplit(url.rstrip("/"))
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._headers = {"Accept": f"{_JSON}, application/json", "Content-Type": _JSON}
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(user).decode()}"

    def ask(self, method: str, *path: str, body: object = None, expected: tuple[int, ...] = ()) -> Answer:
        """The answer to one request; `path` are the parts of the path, unquoted.

        Raises UnavailableError if the registry does not answer, answers no JSON, or with a failure that `expected`
        does not list. Blocks for at most TIMEOUT_SECONDS at a time.
        """
        url = "/".join((self.url, *(quote(part, safe="") for part in path)))
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, self._headers, method=method)  # noqa: S310 (scheme checked above)
        try:
            return self._answer(request, expected)
        except (OSError, HTTPException) as error:
            raise UnavailableError(
                f"the schema registry at {self.url} does not answer: {printable(error)}"
            ) from error
        except (ValueError, RecursionError) as error:
            raise self.strange() from error

    def _answer(self, request: urllib.request.Request, expected: tuple[int, ...]) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return Answer(answer.status, _json(answer.read(MAX_ANSWER_BYTES + 1)))
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in expected:
                    raise self._failed(error.code) from error
                return Answer(error.code, _json(error.read(MAX_ANSWER_BYTES + 1), lenient=True))

    def strange(self) -> UnavailableError:
        """The error of an answer that no schema registry gives."""
        return UnavailableError(f"{self.url} does not answer as a schema registry does: check the URL")

    def _failed(self, status: int) -> UnavailableError:
        if status in (401, 403):
            return UnavailableError(
                f"the schema registry at {self.url} answered {status}: put user:password@ before its host"
            )
        return UnavailableError(f"the schema registry answered {status}: is {self.url} healthy?")


def printable(said: object) -> str:
    """What a server said, for a sentence: at most MAX_SAID characters, spaces in place of control characters.

    A terminal would obey these.
    """
    return "".join(one if one.isprintable() else " " for one in str(said)[:MAX_SAID])


def _json(text: bytes, *, lenient: bool = False) -> Any:
    try:
        return json.loads(text) if len(text) <= MAX_ANSWER_BYTES else None
    except (ValueError, RecursionError):
        if lenient:
            return None
        raise
