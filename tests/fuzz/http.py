"""Hostile requests over loopback sockets, to the collector and to the service of subscribers in this process."""

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import quote

from tests.fuzz.edges import JSON, SEGMENT
from tests.fuzz.mutate import mutated
from tests.support import collector_serving, subscriber_serving
from tests.support.ids import person

#: An answer that is not there by then hangs. Streams never end: their first byte counts.
ANSWER_SECONDS = 20.0
#: 503 says that something else does not answer, as Kafka and ClickHouse here; any other 5xx is a bug.
UNAVAILABLE = 503


@dataclass(frozen=True)
class Request:
    """One that is right."""

    method: str
    path: str
    body: bytes = b""


COLLECTOR = (
    *(Request("POST", path, b"[" + one + b"]") for path in ("/v1/touchpoints",) for one in JSON),
    *(Request("POST", f"/v1/{call}", one) for one, call in zip(SEGMENT, ("track", "identify", "alias"), strict=True)),
    Request("POST", "/v1/batch", b'{"batch":[' + b",".join(SEGMENT) + b'],"sentAt":"2026-01-01T00:00:00Z"}'),
    Request("POST", "/capture/", b'{"api_key":"k-shop","event":"x","distinct_id":"a","properties":{}}'),
    Request("POST", "/com.snowplowanalytics.snowplow/tp2", b'{"schema":"iglu:x","data":[{"e":"pv","eid":"1"}]}'),
    Request("GET", "/openapi.json"),
)  # fmt: skip
SERVE = (
    Request("GET", "/openapi.json"),
    Request("GET", f"/v1/profiles/{person('p1')}?fields=stage,friction"),
    Request("GET", f"/v1/profiles/{person('p1')}/timeline?limit=5&before=1:a:b"),
    Request("GET", "/v1/profiles/email/a%40b.org"),
    Request("GET", "/v1/accounts/ACC"),
    Request("POST", "/v1/profiles:lookup", b'{"identifiers":[{"type":"email","value":"a@b.org"}]}'),
    Request("GET", "/v1/streams/states?after=0&profile_id=" + person("p1")),
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
    head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % (one.method.encode(), path)
    head += b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n%s" % (key, extra)
    raw = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return (mutated(raw, (raw,), random), False) if part == 4 else (raw, True)


async def ask(url: str, raw: bytes, answers: Answers, *, whole: bool) -> None:
    """Send a request and note its status; -1 for none, which is right only of what is not `whole`."""
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


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    async with collector_serving.serving() as client:
        yield client.url


@asynccontextmanager
async def subscribers() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="touchline-fuzz-") as folder:
        async with subscriber_serving.serving(Path(folder)) as served:
            yield served.url


Service = Callable[[], AbstractAsyncContextManager[str]]
SERVICES: dict[str, tuple[Service, tuple[Request, ...], bytes]] = {
    "HTTP, collector": (collector, COLLECTOR, b"k-shop"),
    "HTTP, serve": (subscribers, SERVE, b"k-all"),
}


def requests(name: str, count: int, random: Random) -> Counter[int]:
    """Ask a service so often. Returns how often it answered which status. Raises AssertionError at a crash."""

    async def asking() -> Counter[int]:
        service, right, key = SERVICES[name]
        answers = Answers()
        logging.getLogger().addHandler(answers)
        try:
            async with service() as url:
                for _ in range(count):
                    raw, whole = hostile(right, key, random)
                    await ask(url, raw, answers, whole=whole)
        finally:
            logging.getLogger().removeHandler(answers)
        assert not answers.errors, f"{name}: {len(answers.errors)} crashes, the first: {answers.errors[0]}"
        return answers.statuses

    return asyncio.run(asking())
