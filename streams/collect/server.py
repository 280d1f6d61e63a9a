"""The HTTP server: a request's way from its head to its answer.

Authorise, read within limits, understand, prepare, publish, wait for the broker, answer. Nothing is kept between two
requests but the counts of the limits, so as many collectors as you like may run side by side.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import Reason
from schemas.http.answers import Handler, json_answer
from schemas.http.connections import Connections
from schemas.http.problems import ProblemError
from schemas.http.rate import TokenBucket
from schemas.http.server_log import server_logger
from schemas.tracing.traceparent import HEADER as TRACEPARENT
from schemas.tracing.tracer import Tracer
from streams.collect import browser_settings, cloudevents, metrics, plain, posthog, segment, snowplow
from streams.collect.answers import (
    Answer,
    Result,
    answered,
    pixel_answer,
    plain_answer,
    posthog_answer,
    segment_answer,
    snowplow_answer,
)
from streams.collect.followed import Followed
from streams.collect.intake import Intake, Reservation, busy
from streams.collect.items import Head, Item, Posted, refusal
from streams.collect.keys import WriteKey, WriteKeys
from streams.collect.letters import letter_of
from streams.collect.limits import Limits
from streams.collect.openapi import document
from streams.collect.outgoing import record
from streams.collect.requests import body_of, unauthorised, write_key_of
from streams.identity.policy.policy import IdentityPolicy
from streams.runtime.publisher import Headers, Outbox

#: Items that are worked on before other requests get their turn.
TURN: Final = 100
#: Requests whose JSON is in memory at the same time.
PARSED_AT_ONCE: Final = 4
#: Seconds for which a body that was refused is still read, so that its sender reads the answer.
LINGER_SECONDS: Final = 2.0

log: Final = logging.getLogger("touchline.collector")


@dataclass(frozen=True)
class Protocol:
    """How one kind of client sends, and what it understands as an answer."""

    name: str  #: in metrics and dead letters
    path: str
    read: Callable[[Head, bytes], Posted]
    answer: Answer
    letters: bool  #: whether what is refused becomes a dead letter, because the client does not read why
    method: str = "POST"
    encoding: Callable[[Head], str | None] = lambda _: None  #: of a body whose headers name none


PROTOCOLS: Final = (
    Protocol("touchpoints", "/v1/{call:touchpoints}", plain.read, plain_answer, letters=False),
    Protocol(
        "segment", f"/v1/{{call:{'|'.join(segment.CALLS)}}}", segment.read, segment_answer, letters=True
    ),
    Protocol("cloudevents", "/v1/cloudevents", cloudevents.read, plain_answer, letters=False),
    *(
        Protocol(
            "posthog", path + slash, posthog.read, posthog_answer, letters=True, encoding=posthog.encoding
        )
        for path in posthog.PATHS
        for slash in ("", "/")
    ),
    Protocol(
        "snowplow", "/com.snowplowanalytics.snowplow/tp2", snowplow.read_post, snowplow_answer, letters=True
    ),
    Protocol("snowplow", "/i", snowplow.read_get, pixel_answer, letters=True, method="GET"),
)


class Collector:
    """The routes and what they share. `now` is the wall clock in UTC ms, `clock` a monotonic one in seconds."""

    def __init__(
        self,
        keys: WriteKeys,
        policy: IdentityPolicy,
        catalogue: Catalogue,
        intake: Intake,
        limits: Limits,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock: Callable[[], float] = time.monotonic,
        tracer: Tracer | None = None,
    ) -> None:
        self._keys = keys
        self._policy = policy
        self._catalogue = catalogue
        self._intake = intake
        self._limits = limits
        self._now = now
        self._clock = clock
        self._tracer = tracer
        self._buckets: dict[str, TokenBucket] = {}
        self._room = asyncio.Semaphore(PARSED_AT_ONCE)
        self._document = document(limits)
        busy = "the collector has as many connections as it may: start another beside it"
        self.connections = Connections(limits.connections, limits.head_seconds, busy, log)

    def runner(self) -> web.AppRunner:
        """The application, ready to be set up; aiohttp leaves inflating to us, who do it within limits."""
        return web.AppRunner(
            self.application(), access_log=None, auto_decompress=False, lingering_time=LINGER_SECONDS,
            shutdown_timeout=self._limits.answer_seconds, keepalive_timeout=self._limits.idle_seconds,
            logger=server_logger(),
        )  # fmt: skip

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._noted, answered])
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/openapi.json", self._openapi)
        app.router.add_get(browser_settings.PATH, self._browser_settings)
        for protocol in PROTOCOLS:
            app.router.add_route(protocol.method, protocol.path, self._handler(protocol))
        return app

    def _handler(self, protocol: Protocol) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            started = self._clock()
            status = 500
            span = Followed.of(self._tracer, request.headers.get(TRACEPARENT))
            try:
                response = await self._collect(request, protocol, span.headers)
            except ProblemError as problem:
                status = problem.status
                raise
            else:
                status = response.status
                return response
            finally:
                metrics.REQUESTS.labels(protocol.name, status).inc()
                metrics.SECONDS.labels(protocol.name).observe(self._clock() - started)
                span.answered(f"collect {protocol.name}", status)

        return handle

    async def _collect(
        self, request: web.Request, protocol: Protocol, traced: Headers | None
    ) -> web.Response:
        in_header = write_key_of(request)
        key = None if in_header is None else self._authorised(in_header)
        self._intake.require_ready()
        with Reservation(self._intake) as held:
            head = _head(request)
            body = await body_of(request, self._limits, held, protocol.encoding(head))
            await self._enter()
            try:
                outbox, results = await self._prepare(head, body, key, protocol, traced)
            finally:
                self._room.release()
            del body
            held.hold(
                sum(len(value or b"") for records in outbox.records.values() for _, value, _ in records)
            )
            await self._intake.publish(outbox, held)
        for _, error in results:
            metrics.EVENTS.labels(protocol.name, "accepted" if error is None else error.reason.value).inc()
        return protocol.answer(results)

    async def _enter(self) -> None:
        """Wait for room for one more parsed request: JSON takes ten times its bytes. Raises ProblemError 503."""
        try:
            await asyncio.wait_for(self._room.acquire(), self._limits.answer_seconds)
        except TimeoutError as error:
            raise busy("more comes in than this collector can read: start another beside it") from error
        try:
            self._intake.require_ready()  # it may have changed while this one waited
        except ProblemError:
            self._room.release()
            raise

    async def _prepare(
        self, head: Head, body: bytes, key: WriteKey | None, protocol: Protocol, traced: Headers | None
    ) -> tuple[Outbox, list[Result]]:
        """The records of what can be taken and, where the protocol wants it, letters about the rest."""
        posted = protocol.read(head, body)
        if key is None:
            key = self._authorised(posted.write_key)
        self._admit(key, posted.count, head.headers.get("origin"))
        received_at = self._now()
        outbox, results = self._intake.outbox(), list[Result]()
        for number, item in enumerate(posted.items(key.sender, key.mapping, received_at), start=1):
            if number % TURN == 0:
                await asyncio.sleep(0)
            error = item.error
            if item.touchpoint is not None:
                try:
                    sent = record(item.touchpoint, self._policy, self._catalogue, received_at)
                    outbox.add(self._intake.touchpoints, *sent, traced)
                except Exception as raised:  # noqa: BLE001 (as in item_of)
                    error = refusal(raised)
            if error is not None:
                if error.reason is Reason.UNEXPECTED:
                    log.error(
                        "an event could not be prepared: a bug, please report it", exc_info=error.__cause__
                    )
                if protocol.letters:
                    letter = letter_of(item, error, protocol.name, key.sender, received_at, traced or ())
                    outbox.add(self._intake.dead_letters, b"", DEAD_LETTER.encode(letter))
            results.append((_event_id(item), error))
        return outbox, results

    def _authorised(self, write_key: str | None) -> WriteKey:
        """The entry of a write key. Raises ProblemError 401."""
        found = self._keys.anyone if write_key is None else self._keys.find(write_key)
        if found is None:
            raise unauthorised(
                "the request has no write key: send it as the user of Basic authorisation"
                if write_key is None
                else "the write key is not known here"
            )
        return found

    def _admit(self, key: WriteKey, count: int, origin: str | None) -> None:
        """Raise ProblemError if a key may not send this from there, or not now."""
        if origin is not None and key.origins and origin not in key.origins:
            raise ProblemError(403, "origin", f"the write key is not for pages of {origin[:100]}")
        if count > self._limits.items:
            raise ProblemError(
                413,
                "too_many",
                f"the request has {count} items, the limit is {self._limits.items}: send fewer at once",
            )
        if key.events_per_second is not None:
            bucket = self._buckets.get(key.sender.name)
            if bucket is None:
                bucket = self._buckets[key.sender.name] = TokenBucket(key.events_per_second, self._clock())
            wait = bucket.take(count, self._clock())
            if wait:
                raise ProblemError(
                    429, "rate", f"the write key may send {key.events_per_second:g} events a second", wait
                )

    async def _health(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _ready(self, _: web.Request) -> web.Response:
        self._intake.require_ready()
        return json_answer({"status": "ready"})

    async def _openapi(self, _: web.Request) -> web.Response:
        return json_answer(self._document)

    async def _browser_settings(self, request: web.Request) -> web.Response:
        write_key = request.match_info["write_key"]
        self._admit(self._authorised(write_key), 0, request.headers.get("Origin"))
        forwarded = request.headers.get("X-Forwarded-Proto", "")
        found = browser_settings.settings_document(write_key, request.host, request.scheme, forwarded)
        return json_answer(found)

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.connections.asked(request)
        return await handler(request)


def _head(request: web.Request) -> Head:
    return Head(
        call=request.match_info.get("call", ""),
        media_type=request.content_type.lower(),
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
    )


def _event_id(item: Item) -> str | None:
    source = item.touchpoint if item.touchpoint is not None else item.original
    event_id = source.get("event_id") if isinstance(source, dict) else None
    return event_id if isinstance(event_id, str) else None
