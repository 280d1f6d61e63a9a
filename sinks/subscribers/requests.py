"""What a request asks for, or a sentence about why it cannot be understood."""

import asyncio
import base64
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from aiohttp import web

from schemas.http.problems import ProblemError
from schemas.http.rate import TokenBucket
from schemas.keys import NAME_PATTERN
from sinks.subscribers.events import Wanted
from sinks.subscribers.keys import Reader, ReaderKeys, Scope
from sinks.subscribers.limits import Limits

#: Stream → what it may be limited by, besides `profile`.
FILTERS: Final = {"states": ("stage", "account"), "signals": ("kind", "status"), "changes": ("kind",)}
_LOCAL_NAMES: Final = frozenset(("localhost", "127.0.0.1", "[::1]", "::1"))
_VALUE_CHARACTERS: Final = 200
_VALUES: Final = 50
_LAST_MS: Final = 10**18  #: after every event


class Admission:
    """Who may ask what: the key of a request, its tenant, scopes and rate."""

    def __init__(self, keys: ReaderKeys, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def admit(self, request: web.Request, *scopes: Scope) -> Reader:
        """The reader whose key a request carries. Raises ProblemError: 401, 403, 421 or 429."""
        if self._keys.anyone is not None and _name_of(request.host) not in _LOCAL_NAMES:
            # a page of another origin whose name was made to point to 127.0.0.1 could else read everything
            raise ProblemError(421, "host", "without keys it answers to localhost and 127.0.0.1 only")
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        if self._keys.anyone is None and (kind.lower() != "bearer" or not key):
            raise ProblemError(401, "unauthorised", "send an API key: `Authorization: Bearer KEY`")
        reader = self._keys.find(key.strip())
        if reader is None:
            raise ProblemError(401, "unauthorised", "the API key is not known here")
        self._pay(reader)
        missing = [scope for scope in scopes if scope not in reader.scopes]
        if missing:
            raise ProblemError(403, "scope", f"the API key lacks the scope {missing[0]}")
        return reader

    def _pay(self, reader: Reader) -> None:
        if reader.requests_per_second is None:
            return
        bucket = self._buckets.get(reader.name)
        if bucket is None:
            bucket = self._buckets[reader.name] = TokenBucket(reader.requests_per_second, self._clock())
        wait = bucket.take(1, self._clock())
        if wait:
            allowed = f"{reader.requests_per_second:g} requests a second"
            raise ProblemError(429, "rate", f"the API key may send {allowed}", wait)


def known_only(request: web.Request, *names: str) -> None:
    """Raise ProblemError for a parameter that there is not: a misspelt filter would be ignored."""
    unknown = sorted(set(request.query) - set(names))
    if unknown:
        known = f"it knows {', '.join(names)}" if names else "it knows none"
        raise ProblemError(400, "parameter", f"there is no parameter {unknown[0][:80]!r} here: {known}")


def number(request: web.Request, name: str, default: float, most: float, *, whole: bool = True) -> float:
    """A parameter that is a number from 0 (or 1, if it must be whole) to `most`. Raises ProblemError."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        found = int(text) if whole else float(text)
    except ValueError:
        found = -1
    if not (1 if whole else 0) <= found <= most:
        least = "a whole number from 1" if whole else "a number from 0"
        raise ProblemError(400, "parameter", f"{name} is {text[:80]!r}: write {least} to {most:g}")
    return found


def wanted(request: web.Request, stream: str, tenant: str, limits: Limits) -> Wanted:
    """The filters of a stream. A parameter may be repeated: any of its values passes. Raises ProblemError."""
    profiles = request.query.getall("profile", [])
    if len(profiles) > limits.profiles:
        raise ProblemError(400, "parameter", f"one stream follows at most {limits.profiles} profiles")
    facts = {}
    for fact in FILTERS[stream]:
        values = request.query.getall(fact, [])
        if len(values) > _VALUES or any(len(value) > _VALUE_CHARACTERS for value in values):
            raise ProblemError(400, "parameter", f"{fact} has too many or too long values")
        if values:
            facts[fact] = frozenset(values)
    for profile in profiles:
        if not NAME_PATTERN.fullmatch(profile):
            raise ProblemError(400, "parameter", f"profile is {profile[:80]!r}: that is no profile id")
    return Wanted(tenant, frozenset(profiles), facts)


def next_cursor(row: Mapping[str, Any]) -> str:
    """What `before` of the page after this touchpoint is. Event ids and sources hold any character."""
    place = [row["occurred_at"], row["event_id"], row["source"]]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).rstrip(b"=").decode()


def cursor(text: str | None) -> tuple[int, str, str] | None:
    """Time, event id and source of the touchpoint that `before` names. Raises ProblemError."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        at, event, source = json.loads(raw)
        right = type(at) is int and 0 <= at <= _LAST_MS and isinstance(event, str) and isinstance(source, str)
        (event + source).encode()
    except (ValueError, TypeError, RecursionError):
        right = False
    if not right:
        raise ProblemError(400, "parameter", "before is not the `next` of an answer")
    return at, event, source


async def batch(request: web.Request, limits: Limits) -> tuple[list[Any], Any]:
    """The `who` and `fields` of a batch look-up. Raises ProblemError."""
    if request.content_type != "application/json":
        raise ProblemError(415, "media_type", "send application/json")
    if (request.content_length or 0) > limits.body_bytes:
        raise ProblemError(413, "too_large", f"the body may have {limits.body_bytes} bytes")
    try:
        async with asyncio.timeout(limits.body_seconds):
            text = await request.text()
        asked = json.loads(text)
    except TimeoutError as error:
        raise ProblemError(
            408, "slow_body", f"the body took more than {limits.body_seconds:g} seconds"
        ) from error
    except web.RequestPayloadError as error:
        raise ProblemError(
            400, "encoding", "the body is not in the Content-Encoding that it names"
        ) from error
    except (ValueError, RecursionError, LookupError) as error:
        raise ProblemError(400, "json", "the body is not JSON") from error
    if (
        not isinstance(asked, dict)
        or not isinstance(asked.get("who"), list)
        or set(asked) - {"who", "fields"}
    ):
        raise ProblemError(422, "shape", 'write {"who": [{"type": …, "value": …} or {"profile_id": …}, …]}')
    if not 1 <= len(asked["who"]) <= limits.lookups:
        raise ProblemError(422, "too_many", f"`who` may name 1 to {limits.lookups} people")
    return asked["who"], asked.get("fields", [])


def is_identifier(value: Any) -> bool:
    """Whether an item of a batch names an identifier."""
    return _texts(value, ("type", "value")) and NAME_PATTERN.fullmatch(value["type"]) is not None


def is_profile(value: Any) -> bool:
    """Whether an item of a batch names a profile."""
    return _texts(value, ("profile_id",)) and NAME_PATTERN.fullmatch(value["profile_id"]) is not None


def _texts(value: Any, names: Collection[str]) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == set(names)
        and all(isinstance(text, str) and 0 < len(text) <= _VALUE_CHARACTERS for text in value.values())
    )


def _name_of(host: str) -> str:
    """The Host header without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
