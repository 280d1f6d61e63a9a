"""Streams of server-sent events: where a reader begins, and its way between the window and the past."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import web

from schemas import topics
from schemas.errors import TouchlineError
from schemas.http.json_bytes import json_bytes
from schemas.http.problems import RETRY_SECONDS, ProblemError
from sinks.subscribers import metrics
from sinks.subscribers.events import Wanted
from sinks.subscribers.limits import Limits
from sinks.subscribers.past import LostError, Past
from sinks.subscribers.positions import Mark, UnreadableIdError, read, written
from sinks.subscribers.table.follower import Follower
from sinks.subscribers.tail import Tail
from sinks.subscribers.window import Cursor, Told, Vector, Window

_AT_ONCE: Final = 50  #: events of one write
_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip
_MINUTE: Final = 60
_LOOK_SECONDS: Final = 0.1  #: between two looks whether the service has caught up
_AGAIN: Final = "begin again without Last-Event-ID, of states with ?from=start"


@dataclass(frozen=True)
class Beginning:
    """Where a reader begins, of which generation of the window, and how fresh a table it has been told all of."""

    positions: Vector
    generation: int
    fresh_at: float


class Streams:
    """All streams of the service. One event loop."""

    def __init__(
        self, windows: Mapping[str, Window], pasts: Mapping[str, Past], tail: Tail, follower: Follower, epoch: int,
        limits: Limits, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`clock`: UTC seconds."""
        self._clock = clock
        self._windows = windows
        self._pasts = pasts
        self._tail = tail
        self._follower = follower
        self._epoch = epoch
        self._limits = limits
        self._ending = False
        self._open: set[Cursor] = set()
        self._written = lru_cache(maxsize=4096)(written)

    def end(self) -> None:
        """End every stream: the service stops."""
        self._ending = True
        for cursor in self._open:
            cursor.news.set()

    async def begin(self, stream: str, last_id: str | None, start: str) -> Beginning:
        """Where a reader begins: after the event that it names, at the start, or now.

        Raises ProblemError: 400 for an id that is none, 410 for one from which nobody can go on without a gap, 503.
        """
        head = await self._caught_up(stream)
        generation, fresh_at = self._windows[stream].generation, self._follower.fresh_at or 0.0
        if last_id is None and start == "now":
            return Beginning(head, generation, fresh_at)
        if last_id is None:
            first = tuple(0 for _ in head) if stream == "states" else (await self._tail.bounds(stream))[0]
            return Beginning(first, generation, fresh_at)
        try:
            mark = read(last_id)
        except UnreadableIdError as error:
            raise ProblemError(400, "event_id", f"Last-Event-ID {error}") from error
        if mark.stream != stream:
            raise ProblemError(400, "event_id", f"Last-Event-ID is of the stream {mark.stream}")
        if mark.epoch != self._epoch or len(mark.positions) != len(head):
            raise ProblemError(410, "gone", f"Last-Event-ID is of topics that were made anew: {_AGAIN}")
        if stream == "states" and self._clock() - mark.fresh_at > topics.TOMBSTONE_MS / 1000:
            raise ProblemError(
                410, "gone", f"Last-Event-ID is too old, so ends of profiles may be missed: {_AGAIN}"
            )
        await self._require_there(stream, mark.positions)
        return Beginning(mark.positions, generation, mark.fresh_at)

    async def _caught_up(self, stream: str) -> Vector:
        """The head of a stream, once there is one: a browser's EventSource gives up when it is refused."""
        deadline = asyncio.get_running_loop().time() + self._limits.start_seconds
        while not (head := self._windows[stream].head) or self._follower.fresh_at is None:
            if asyncio.get_running_loop().time() >= deadline:
                raise ProblemError(
                    503, "not_ready", "the service has not caught up with Kafka yet", RETRY_SECONDS
                )
            await asyncio.sleep(_LOOK_SECONDS)
        return head

    async def _require_there(self, stream: str, positions: Vector) -> None:
        """Raise ProblemError 410 if Kafka has not, or no longer, what comes after these positions."""
        window = self._windows[stream]
        within = all(
            low <= at <= high for low, at, high in zip(window.start, positions, window.head, strict=True)
        )
        if within:
            return
        starts, ends = await self._tail.bounds(stream)
        if any(at > end for at, end in zip(positions, ends, strict=True)):
            raise ProblemError(410, "gone", f"Last-Event-ID is of topics that were made anew: {_AGAIN}")
        if stream != "states" and any(at < low for at, low in zip(positions, starts, strict=True)):
            raise ProblemError(410, "gone", f"Kafka no longer has what comes after Last-Event-ID: {_AGAIN}")

    async def serve(
        self, request: web.Request, stream: str, wanted: Wanted, begin: Beginning
    ) -> web.StreamResponse:
        """Tell a reader all that it asked for from there on, until it goes or the service ends.

        Raises ProblemError 503 if as many streams are open as may be.
        """
        if len(self._open) >= self._limits.streams:
            raise ProblemError(
                503, "busy", f"{self._limits.streams} streams are open, the limit", RETRY_SECONDS
            )
        window = self._windows[stream]
        if begin.generation != window.generation or len(begin.positions) != len(window.head):
            raise ProblemError(503, "not_ready", "the table is built anew from Kafka", RETRY_SECONDS)
        cursor = Cursor(wanted, begin.positions, window.generation, begin.fresh_at)
        response = web.StreamResponse(headers=_HEADERS)
        self._open.add(cursor)
        metrics.STREAMS.labels(stream).inc()
        try:
            await response.prepare(request)
            await self._write(response, b"retry: 1000\n" + self._id(stream, cursor.positions, cursor) + b"\n")
            await self._told(response, stream, cursor)
        except ConnectionError:
            pass  # the reader has gone: it goes on with its last id
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # what it has not taken in all this time is not waited for
        finally:
            window.leave(cursor)
            self._open.discard(cursor)
            metrics.STREAMS.labels(stream).dec()
        return response

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    async def _told(self, response: web.StreamResponse, stream: str, cursor: Cursor) -> None:
        """As `_tell`; if the reader cannot be served, the last event says why."""
        try:
            await self._tell(response, stream, cursor)
        except TouchlineError as error:
            problem = ProblemError(410 if isinstance(error, LostError) else 503, "ended", str(error))
            await self._write(response, b"event: problem\ndata: %s\n\n" % json_bytes(problem.document()))

    async def _tell(self, response: web.StreamResponse, stream: str, cursor: Cursor) -> None:
        window = self._windows[stream]
        joined = False
        while not self._ending and cursor.generation == window.generation:
            if not joined:
                joined = window.join(cursor)
                if not joined:
                    metrics.PAST.labels(stream).inc()
                    # closed at once: it may hold one of few turns
                    async with aclosing(self._pasts[stream].read(cursor, window.head)) as past:
                        async for told in past:
                            await self._tell_some(response, stream, told, cursor)
                    continue
            cursor.news.clear()
            fresh_at = self._follower.fresh_at
            told = window.take(cursor, _AT_ONCE)
            if cursor.behind:
                window.leave(cursor)
                joined = False
            if told:
                await self._tell_some(response, stream, told, cursor)
            if joined and not cursor.pending and fresh_at is not None:
                cursor.fresh_at = fresh_at  # it was at the head then
            if not told and joined and not await _within(cursor.news, self._limits.heartbeat_seconds):
                # an id without data is no event, but what a reader goes on from
                await self._write(response, self._id(stream, cursor.positions, cursor) + b": alive\n\n")

    async def _tell_some(
        self, response: web.StreamResponse, stream: str, told: list[Told], cursor: Cursor
    ) -> None:
        if self._ending or cursor.generation != self._windows[stream].generation:
            raise ConnectionError
        if told:
            text = b"".join(
                part for event, at in told for part in (self._id(stream, at, cursor), event.data, b"\n")
            )
            await self._write(response, text)
            metrics.EVENTS.labels(stream).inc(len(told))

    def _id(self, stream: str, positions: Vector, cursor: Cursor) -> bytes:
        """The line `id:`. Who reads the past gets no newer a time with it: ends of profiles may still be missing."""
        fresh_at = int(cursor.fresh_at) // _MINUTE * _MINUTE
        return f"id: {self._written(Mark(stream, self._epoch, fresh_at, positions))}\n".encode()

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(self._limits.stall_seconds):
            await response.write(data)


async def _within(news: asyncio.Event, seconds: float) -> bool:
    """Whether news come in that time."""
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return False
    return True
