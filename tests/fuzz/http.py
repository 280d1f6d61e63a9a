"""Hostile requests over loopback sockets, to the collector, the service of subscribers and the page in this process."""

import asyncio
import logging
import re
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import quote

from schemas.profile_ids import own_profile
from sinks.subscribers.requests import next_cursor
from tests.fuzz.edges import JSON, NOW, SEGMENT
from tests.fuzz.mutate import mutated
from tests.support import collector_serving, page_serving, subscriber_serving
from tests.support.state_log import account, owner, placed, state

#: An answer that is not there by then hangs. Streams never end: their first byte counts.
ANSWER_SECONDS = 20.0
#: 503 says that something else does not answer, as Kafka and ClickHouse here; any other 5xx is a bug.
UNAVAILABLE = 503


@dataclass(frozen=True)
class Request:
    """One that is right: it is answered by `status`."""

    method: str
    path: str
    body: bytes = b""
    form: str = "application/json"
    status: int = 200


#: The key says the source, so these do not.
UNSOURCED = tuple(re.sub(rb'"source":"\w+",', b"", one) for one in JSON)
COLLECTOR = (
    *(Request("POST", "/v1/touchpoints", one) for one in (*UNSOURCED, b"[" + b",".join(UNSOURCED) + b"]")),
    *(Request("POST", f"/v1/{call}", one) for one, call in zip(SEGMENT, ("track", "identify", "alias"), strict=True)),
    Request("POST", "/v1/batch", b'{"batch":[' + b",".join(SEGMENT) + b'],"sentAt":"2026-01-01T00:00:00Z"}'),
    Request("POST", "/capture/", b'{"api_key":"k-shop","event":"x","distinct_id":"a","properties":{}}'),
    Request("POST", "/com.snowplowanalytics.snowplow/tp2", b'{"schema":"iglu:com.snowplowanalytics.snowplow/'
            b'payload_data/jsonschema/1-0-4","data":[{"e":"pv","eid":"1","p":"web","tv":"js-3","duid":"a"}]}'),
    Request("GET", "/openapi.json"),
)  # fmt: skip
PERSON = own_profile("default", ("email", "a@b.org"))
BEFORE = next_cursor({"occurred_at": 5, "event_id": "e.1", "source": "web.shop/\u00e4"})
SERVE = (
    Request("GET", "/openapi.json"),
    Request("GET", f"/v1/profiles/{PERSON}?fields=stage,friction"),
    Request("GET", f"/v1/profiles/{PERSON}/timeline?limit=5&before={BEFORE}"),
    Request("GET", "/v1/profiles/email/a%40b.org"),
    Request("GET", "/v1/accounts/ACC"),
    Request(
        "POST", "/v1/profiles:lookup", b'{"who":[{"type":"email","value":"a@b.org"}],"fields":["stage"]}'
    ),
    Request("GET", f"/v1/streams/states?from=start&profile={PERSON}"),
)
PAGE = (
    Request("GET", "/t/default/"),
    Request("GET", "/t/default/panels/totals?range=7d&channel=web&source=crm"),
    Request("GET", "/t/default/signals?range=all"),
    Request("POST", "/t/default/find", b"who=email%3Aa%40b.org", "application/x-www-form-urlencoded", 303),
    Request("GET", "/t/default/live"),
    Request("GET", "/health"),
)


@dataclass
class Answers(logging.Handler):
    """What came back; and what the server logged as an error, which is a crash whatever it answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(logging.ERROR)

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(logging.Formatter().format(record))


def hostile(requests: tuple[Request, ...], key: bytes, random: Random) -> tuple[bytes, bool]:
    """The bytes of a request, and whether it is right as HTTP: as a rule it is, with hostile content in one part."""
    one = random.choice(requests)
    path, body = one.path.encode(), one.body
    extra = b""
    part = random.randrange(5)
    if part == 0 or (part < 3 and not body):
        target = mutated(path, tuple(other.path.encode() for other in requests), random)[:4000]
        path = b"/" + quote(target, safe="/?&=%:").encode().lstrip(b"/")
    elif part < 3:
        body = mutated(body, tuple(other.body for other in requests), random)
    elif part == 3:
        name = random.choice(
            (b"Origin", b"Last-Event-ID", b"If-None-Match", b"Content-Encoding", b"Cookie", b"Range")
        )
        value = mutated(b'"1"', (b"gzip", b"bytes=0-"), random)[:4000].replace(b"\r", b"").replace(b"\n", b"")
        extra = name + b": " + value.replace(b"\x00", b"") + b"\r\n"
    raw = _whole(one, path, body, key, extra)
    return (mutated(raw, (raw,), random), False) if part == 4 else (raw, True)


def _whole(one: Request, path: bytes, body: bytes, key: bytes, extra: bytes = b"") -> bytes:
    head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % (one.method.encode(), path)
    head += b"Authorization: Bearer %s\r\nContent-Type: %s\r\n%s" % (key, one.form.encode(), extra)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def ask(url: str, raw: bytes, answers: Answers, *, whole: bool) -> int:
    """Send a request, note its status and return it; -1 for none, which is right only of what is not `whole`."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(raw)
        await writer.drain()
        if not whole:
            writer.write_eof()
        async with asyncio.timeout(ANSWER_SECONDS):
            line = (await reader.readline()).split(b" ")
        status = int(line[1]) if len(line) > 1 and line[1].isdigit() else -1
    except ConnectionError:
        status = -1
    finally:
        writer.close()
    answers.statuses[status] += 1
    if (status >= 500 and status != UNAVAILABLE) or (whole and status < 0):
        answers.errors.append(f"{status} to {raw[:4000]!r}")
    return status


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    async with collector_serving.serving() as client:
        client.wall = NOW  # what is received before it occurred is refused
        yield client.url


@asynccontextmanager
async def subscribers() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="touchline-fuzz-") as folder:
        async with subscriber_serving.serving(Path(folder)) as served:
            email = {"type": "email", "value": "a@b.org"}
            served.take(
                placed([state(PERSON, 7), owner("a", PERSON, 1, identifier=email), account("ACC", 1)])
            )
            yield served.url


Service = Callable[[], AbstractAsyncContextManager[str]]
SERVICES: dict[str, tuple[Service, tuple[Request, ...], bytes]] = {
    "HTTP, collector": (collector, COLLECTOR, b"k-shop"),
    "HTTP, serve": (subscribers, SERVE, b"k-all"),
    "HTTP, page": (page_serving.serving, PAGE, b"none"),
}


def _asking(name: str, raws: Iterable[tuple[bytes, bool]]) -> tuple[list[int], Answers]:
    """Ask a service these; the second says whether a request is whole."""

    async def asking() -> list[int]:
        service, _, _ = SERVICES[name]
        logging.getLogger().addHandler(answers)
        try:
            async with service() as url:
                return [await ask(url, raw, answers, whole=whole) for raw, whole in raws]
        finally:
            logging.getLogger().removeHandler(answers)

    answers = Answers()
    return asyncio.run(asking()), answers


def statuses(name: str) -> list[tuple[Request, int]]:
    """What a service answers to each of its right requests: if that is a refusal, their mutations prove little."""
    _, right, key = SERVICES[name]
    found, _ = _asking(name, [(_whole(one, one.path.encode(), one.body, key), True) for one in right])
    return list(zip(right, found, strict=True))


def requests(name: str, count: int, random: Random) -> Counter[int]:
    """Ask a service so often. Returns how often it answered which status. Raises AssertionError at a crash."""
    _, right, key = SERVICES[name]
    _, answers = _asking(name, (hostile(right, key, random) for _ in range(count)))
    assert not answers.errors, f"{name}: {len(answers.errors)} crashes, the first: {answers.errors[0]}"
    return answers.statuses
