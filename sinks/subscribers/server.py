"""The HTTP server: a request's way from its key to the table, to ClickHouse or to a stream."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from schemas.http.answers import Handler
from schemas.http.connections import Connections
from schemas.http.json_bytes import json_bytes
from schemas.http.problems import RETRY_SECONDS, ProblemError
from sinks.subscribers import metrics
from sinks.subscribers.answers import answered, found_answer, json_answer, log
from sinks.subscribers.events import Wanted
from sinks.subscribers.history import History
from sinks.subscribers.hub import Hub
from sinks.subscribers.keys import Reader, Scope
from sinks.subscribers.limits import Limits
from sinks.subscribers.openapi import document
from sinks.subscribers.people import Found, People, fields_of
from sinks.subscribers.requests import (
    FILTERS,
    Admission,
    batch,
    cursor,
    is_identifier,
    is_profile,
    known_only,
    next_cursor,
    number,
    wanted,
)
from sinks.subscribers.streaming import Beginning, Streams
from sinks.subscribers.table.follower import Follower

#: A profile id in a path. No type of identifier looks like one.
_ID: Final = "{id:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}}"
_SCOPES: Final = {"states": Scope.STATES, "signals": Scope.SIGNALS, "changes": Scope.CHANGES}
_TURN: Final = 4  #: people of a batch before others have their turn
_WITHIN: Final = 5.0  #: seconds that `wait` waits, if `within` does not say


class SubscriberServer:
    """The routes and what they share."""

    def __init__(
        self, admission: Admission, people: People, history: History, streams: Streams, hub: Hub, follower: Follower,
        limits: Limits, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`clock`: UTC seconds."""
        self._admission = admission
        self._people = people
        self._history = history
        self._streams = streams
        self._hub = hub
        self._follower = follower
        self._limits = limits
        self._clock = clock
        self._document = json_bytes(document(limits))
        busy = "the service has as many connections as it may: start another beside it"
        self.connections = Connections(limits.connections, limits.head_seconds, busy, log)

    def application(self) -> web.Application:
        """The routes. The first that fits a path answers."""
        app = web.Application(middlewares=[self._noted, answered], client_max_size=self._limits.body_bytes)
        router = app.router
        router.add_get("/healthz", self._health)
        router.add_get("/readyz", self._ready)
        router.add_get("/openapi.json", self._openapi)
        router.add_get("/v1/streams/{stream:states|signals|changes}", self._stream, allow_head=False)
        for part in ("timeline", "signals", "evidence"):
            handler = getattr(self, f"_{part}")
            router.add_get(f"/v1/profiles/{_ID}/{part}", _counted(part, handler))
        router.add_get(f"/v1/profiles/{_ID}", _counted("profile", self._profile))
        router.add_get("/v1/profiles/{type}/{value:.+}", _counted("identifier", self._identifier))
        router.add_post("/v1/profiles:lookup", _counted("lookup", self._lookup))
        router.add_get("/v1/accounts/{id:.+}", _counted("account", self._account))
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _ready(self, _: web.Request) -> web.Response:
        age = self._age()
        ready = age is not None and age <= self._limits.fresh_seconds
        told = {
            "status": "ready" if ready else "waiting", "age_seconds": None if age is None else round(age, 1),
            "lag_records": self._follower.lag, "kafka": self._follower.connected,
        }  # fmt: skip
        return json_answer(told, 200 if ready else 503)

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")

    @web.middleware
    async def _noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.connections.asked(request)
        return await handler(request)

    async def _profile(self, request: web.Request) -> web.Response:
        reader = self._admit(request, Scope.STATES)
        tenant, profile = reader.tenant, request.match_info["id"]
        return await self._state(request, reader, lambda: self._people.by_profile(tenant, profile))

    async def _identifier(self, request: web.Request) -> web.Response:
        reader = self._admit(request, Scope.STATES, Scope.IDENTIFIERS)
        tenant, type_, value = reader.tenant, request.match_info["type"], request.match_info["value"]
        if not is_identifier({"type": type_, "value": value}):
            raise ProblemError(
                404, "unknown", "that is no identifier: a type, and a value of at most 200 characters"
            )
        return await self._state(request, reader, lambda: self._people.by_identifier(tenant, type_, value))

    async def _account(self, request: web.Request) -> web.Response:
        reader = self._admit(request, Scope.ACCOUNTS)
        known_only(request, "fields")
        fields = fields_of("AccountState", request.query.get("fields", ""))
        found = self._people.account(reader.tenant, request.match_info["id"])
        if found is None:
            raise ProblemError(404, "unknown", "there is no such account")
        return found_answer(request, found, fields)

    async def _state(
        self, request: web.Request, reader: Reader, find: Callable[[], Found | None]
    ) -> web.Response:
        known_only(request, "fields", "wait", "within")
        fields = fields_of("JourneyState", request.query.get("fields", ""))
        event_id = request.query.get("wait")
        if event_id == "":
            raise ProblemError(400, "parameter", "wait is empty: name the event that you published")
        within = number(request, "within", _WITHIN, self._limits.wait_seconds, whole=False)
        if event_id is None:
            found = find()
            if found is None:
                raise ProblemError(404, "unknown", "nobody is known by this")
        else:
            found = await self._awaited(reader.tenant, find, event_id, within)
        return found_answer(request, found, fields)

    async def _awaited(
        self, tenant: str, find: Callable[[], Found | None], event_id: str, seconds: float
    ) -> Found:
        """The state once it lists an event. Raises ProblemError: 409 when the time is over, 503 if too many wait."""
        if self._hub.waiting >= self._limits.waits:
            raise ProblemError(503, "busy", f"{self._limits.waits} requests wait already", RETRY_SECONDS)
        try:
            with self._hub.news(tenant, event_id) as news:
                async with asyncio.timeout(seconds):
                    seen = ""
                    while True:
                        news.clear()
                        found = find()
                        if found is not None and found.etag != seen:
                            if found.holds(event_id):
                                return found
                            seen = found.etag
                        await news.wait()
        except TimeoutError as error:
            raise ProblemError(
                409, "not_in", f"within {seconds:g} s the state did not list this event among its newest 20: it is on"
                " its way, older than these, another person's, or was refused"
            ) from error  # fmt: skip

    async def _lookup(self, request: web.Request) -> web.Response:
        reader = self._admit(request, Scope.STATES)
        known_only(request)
        who, names = await batch(request, self._limits)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ProblemError(422, "shape", "`fields` is a list of names")
        fields = fields_of("JourneyState", ",".join(names))
        results = []
        for count, asked in enumerate(who):
            if count % _TURN == _TURN - 1:
                await asyncio.sleep(0)  # others have their turn
            found = self._one(reader, asked)
            results.append({"status": 404} if found is None else {"status": 200, **found.document(fields)})
        return json_answer({"results": results})

    def _one(self, reader: Reader, asked: Any) -> Found | None:
        if is_profile(asked):
            return self._people.by_profile(reader.tenant, asked["profile_id"])
        if not is_identifier(asked):
            raise ProblemError(422, "shape", 'each of `who` is {"type": …, "value": …} or {"profile_id": …}')
        if Scope.IDENTIFIERS not in reader.scopes:
            raise ProblemError(403, "scope", f"the API key lacks the scope {Scope.IDENTIFIERS}")
        return self._people.by_identifier(reader.tenant, asked["type"], asked["value"])

    async def _timeline(self, request: web.Request) -> web.Response:
        tenant, profile, limit = self._asked(request, Scope.TIMELINE, "before")
        rows = await self._history.timeline(tenant, profile, limit, cursor(request.query.get("before")))
        following = next_cursor(rows[-1]) if len(rows) == limit else None
        return json_answer({"profile_id": profile, "touchpoints": rows, "next": following})

    async def _signals(self, request: web.Request) -> web.Response:
        tenant, profile, limit = self._asked(request, Scope.SIGNALS)
        return json_answer(
            {"profile_id": profile, "signals": await self._history.signals(tenant, profile, limit)}
        )

    async def _evidence(self, request: web.Request) -> web.Response:
        tenant, profile, limit = self._asked(request, Scope.EVIDENCE)
        rows = await self._history.evidence(tenant, profile, limit)
        return json_answer({"profile_id": profile, "evidence": rows})

    def _asked(self, request: web.Request, scope: Scope, *names: str) -> tuple[str, str, int]:
        """Tenant, present profile and limit of a question to ClickHouse."""
        reader = self._admit(request, scope)
        known_only(request, "limit", *names)
        limit = int(number(request, "limit", 100, self._limits.rows))
        found = self._people.by_profile(reader.tenant, request.match_info["id"])
        if found is None:
            raise ProblemError(404, "unknown", "nobody is known by this")
        return reader.tenant, found.row.name, limit

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        stream = request.match_info["stream"]
        try:
            asked, begin = await self._begin(request, stream)
        except ProblemError as problem:
            metrics.REQUESTS.labels("stream", problem.status).inc()
            raise
        metrics.REQUESTS.labels("stream", 200).inc()
        return await self._streams.serve(request, stream, asked, begin)

    async def _begin(self, request: web.Request, stream: str) -> tuple[Wanted, Beginning]:
        reader = self._admission.admit(request, _SCOPES[stream])
        known_only(request, "profile", "from", *FILTERS[stream])
        asked = wanted(request, stream, reader.tenant, self._limits)
        start = request.query.get("from", "now")
        if start not in ("now", "start"):
            raise ProblemError(400, "parameter", f"from is {start[:80]!r}: write now or start")
        last_id = request.headers.get("Last-Event-ID") or None
        return asked, await self._streams.begin(stream, last_id, start)

    def _admit(self, request: web.Request, *scopes: Scope) -> Reader:
        reader = self._admission.admit(request, *scopes)
        if self._follower.fresh_at is None:
            raise ProblemError(
                503, "not_ready", "the service has not caught up with Kafka yet", RETRY_SECONDS
            )
        return reader

    def _age(self) -> float | None:
        fresh = self._follower.fresh_at
        return None if fresh is None else abs(self._clock() - fresh)


def _counted(kind: str, handler: Handler) -> Handler:
    """Count a request, however it ends, and time it unless it waits on purpose."""
    seconds, requests = metrics.SECONDS.labels(kind), metrics.REQUESTS

    async def handle(request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        response = await answered(request, handler)
        requests.labels(kind, response.status).inc()
        if "wait" not in request.query:
            seconds.observe(time.perf_counter() - started)
        return response

    return handle
