"""Bearer tokens for Kafka's OAUTHBEARER: from a file, a command or an OIDC token endpoint, kept until they are old."""

import base64
import binascii
import json
import shlex
import subprocess
import threading
import time
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from schemas.errors import UnavailableError
from schemas.secret_files import read_secret

#: Part of a token's life after which it is not handed out again.
FRESH: Final = 0.8
ANSWER_SECONDS: Final = 10.0
_LONGEST: Final = 1 << 20  #: bytes of an answer


class TokenSource:
    """Hands out a token that is not old; safe for threads. A client asks at each connection."""

    def __init__(self, source: str, client: str, password: str, scope: str) -> None:
        """`source` is @FILE, ! and a command, or the address of an OIDC token endpoint (client credentials grant)."""
        self._source = source
        self._client = client
        self._password = password
        self._scope = scope
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0.0  #: Unix time

    def token(self) -> str:
        """A token. Raises UnavailableError, without the token in its text, if none can be had."""
        with self._lock:
            now = time.time()
            if now >= self._good_until:
                self._token, lifetime = self._fetch(now)
                self._good_until = now + lifetime * FRESH
            return self._token

    def _fetch(self, now: float) -> tuple[str, float]:
        """A token and the seconds for which it is known to be good: 0 to ask again at once."""
        if self._source.startswith("@"):
            # whoever writes the file renews the token: the file is read anew
            return _token(read_secret("TOUCHLINE_KAFKA_TOKEN", self._source), "the file"), 0.0
        if self._source.startswith("!"):
            token = _token(_output(self._source[1:]), "the command")
            return token, max(0.0, expiry(token) - now)
        answer = _ask(self._source, self._client, self._password, self._scope)
        lifetime = answer.get("expires_in", 0)
        seconds = float(lifetime) if isinstance(lifetime, int | float) and lifetime > 0 else 0.0
        return _token(str(answer.get("access_token", "")), "the token endpoint"), seconds


def expiry(token: str) -> float:
    """When a JWT expires, Unix time; 0 if the token does not say."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 0.0


def _token(text: str, whence: str) -> str:
    """The token without white space around it. Raises UnavailableError if it is none."""
    token = text.strip()
    # the mechanism frames a token with control characters: others in it would add fields of their own
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UnavailableError(f"{whence} that TOUCHLINE_KAFKA_TOKEN names gives no bearer token")
    return token


def _output(command: str) -> str:
    try:
        done = subprocess.run(
            shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_SECONDS,
            check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        raise UnavailableError(
            f"the command of TOUCHLINE_KAFKA_TOKEN ended with {error.returncode}: {last[0] if last else 'no word'}"
        ) from error
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        # TimeoutExpired's own text holds the command line, which may hold a secret
        why = "no answer in time" if isinstance(error, subprocess.TimeoutExpired) else str(error)
        raise UnavailableError(f"the command of TOUCHLINE_KAFKA_TOKEN cannot be run: {why}") from error
    return done.stdout


class _NoRedirect(HTTPRedirectHandler):
    """The client secret goes to the address that was set, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirection."""


def _ask(url: str, client: str, password: str, scope: str) -> dict[str, Any]:
    """The answer of a token endpoint (RFC 6749, 4.4). Raises UnavailableError."""
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    credentials = base64.b64encode(f"{quote_plus(client)}:{quote_plus(password)}".encode()).decode()
    request = Request(  # noqa: S310 (check_connection lets only https through)
        url, urlencode(form).encode(),
        {"Authorization": f"Basic {credentials}", "Accept": "application/json"},
    )  # fmt: skip
    try:
        with build_opener(_NoRedirect).open(request, timeout=ANSWER_SECONDS) as response:
            answer = json.loads(response.read(_LONGEST))
    except (URLError, OSError, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise UnavailableError(f"the token endpoint {url} does not answer as it should: {error}") from error
    if not isinstance(answer, dict):
        raise UnavailableError(f"the token endpoint {url} answers with no JSON object")
    return answer
