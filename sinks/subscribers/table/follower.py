"""Keeps a table up to date with its topics: reads on where it stopped, knows how fresh the table is, and tails."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.errors import TouchlineError, UnavailableError
from schemas.kafka_client import client_options, started
from schemas.settings import Settings
from schemas.version_bounds import AheadError
from sinks.subscribers.table.ends import Ends, made_anew
from sinks.subscribers.table.entries import FOLLOWED
from sinks.subscribers.table.store import SCRUB_SECONDS, Applied, Positions, StateTable

AGAIN_SECONDS: Final = 2.0  #: between two attempts to reach the broker or to find the topics
_LOOK_SECONDS: Final = 3.0  #: between two looks at the ends of the topics
_NOTE_SECONDS: Final = 60.0  #: between two notes on disk of how fresh the table is
_FETCH_MS: Final = 100
#: Records of a batch while many are left, and else: a small batch delays look-ups less.
_BEHIND, _TAILING = 2000, 100
_SLICE_SECONDS: Final = 0.001  #: for which records are decoded before others have their turn
#: A tombstone is in Kafka for at least topics.TOMBSTONE_MS. A table that was not fresh for longer may have missed one.
AWAY_SECONDS: Final = topics.TOMBSTONE_MS / 1000
FORGET_MS: Final = 2 * topics.TOMBSTONE_MS  #: age at which the table forgets what a tombstone left
_FORGET_SECONDS: Final = 3600.0

log: Final = logging.getLogger("touchline.subscribers")


class Listener(Protocol):
    """Who is told of what the table took, on the event loop, after it is on disk."""

    def applied(self, batch: Applied, positions: Positions) -> None:
        """A batch is in the table, which has been read up to `positions` with it."""

    def cleared(self) -> None:
        """The table is built anew: what it has told is told again."""


class Follower:
    """Runs until it is cancelled; an outage of the broker ends by itself. One event loop."""

    def __init__(
        self,
        settings: Settings,
        table: StateTable,
        listener: Listener,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: UTC seconds."""
        self._settings = settings
        self._table = table
        self._listener = listener
        self._clock = clock
        self._noted_at = float("-inf")
        # of its own: threads that wait for something else would keep the table from getting newer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="table")
        self._forgot_at = self._scrubbed_at = clock()
        self._places: dict[
            tuple[str, int], int
        ] = {}  #: topic and partition → the first offset that Kafka has
        self.connected = False  #: whether the broker answered when it was last asked
        self.fresh_at: float | None = None  #: UTC seconds: the table has all that the topics had then
        self.lag = 0  #: records that the topics had and the table had not, at the last look
        self.rejected = 0  #: records that Touchline cannot have written

    def waits_for(self, fresh_seconds: float) -> str:
        """Why the table is older than so many seconds, in a sentence; empty if it is not."""
        # a time that is far ahead says nothing: the clock was set back
        if self.fresh_at is not None and abs(self._clock() - self.fresh_at) <= fresh_seconds:
            return ""
        if not self.connected:
            return "Kafka does not answer"
        return f"the table reads on: {self.lag:,} records are left"

    async def run(self) -> None:
        """Follow, for ever. Raises UnavailableError if the table cannot be written: a supervisor has to look."""
        try:
            while True:
                await self._once()
                await asyncio.sleep(AGAIN_SECONDS)
        except sqlite3.Error as error:
            raise UnavailableError(
                f"the table {self._table.path} cannot be written ({error}): make room on its disk, or delete it if it"
                " is damaged"
            ) from error
        finally:
            self._thread.shutdown(wait=False)

    async def _once(self) -> None:
        """Follow until the broker does not answer, or the table has to be built anew."""
        consumer = AIOKafkaConsumer(
            **client_options(self._settings), group_id=None, enable_auto_commit=False,
            auto_offset_reset="none", fetch_max_wait_ms=_FETCH_MS,
        )  # fmt: skip
        try:
            async with started(consumer):
                await self._follow(consumer)
        except (KafkaError, OSError, TimeoutError, TouchlineError) as error:
            if self.connected or self.fresh_at is None:
                log.warning("Kafka at %s does not answer as needed: %s", self._settings.brokers, error)
            self.connected = False

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        """Read until the broker does not answer, or the table has to be built anew."""
        # the time before the question: what is published while the broker answers is not in its answer
        looked_at = asked_at = self._clock()
        ends = await Ends.of(consumer, self._settings, FOLLOWED)
        awaited = dict(ends.ends)
        await self._begin(consumer, ends, looked_at)
        self.connected = True
        while not self._missed_tombstones():
            reached = await self._reached(consumer, awaited)
            if reached:
                await self._note_fresh(looked_at)
            if abs(self._clock() - asked_at) >= _LOOK_SECONDS:
                asked_at = self._clock()
                await ends.look()  # a fetch from a broker that is away just returns nothing: the look tells
                if reached:
                    awaited, looked_at = dict(ends.ends), asked_at
                await self._forget()
            many = self.fresh_at is None or self.lag > _BEHIND
            fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_BEHIND if many else _TAILING)
            if records := [record for part in fetched.values() for record in part]:
                await self._apply(records, ends)

    async def _begin(self, consumer: AIOKafkaConsumer, ends: Ends, now: float) -> None:
        """Go to where the table stands, or to the beginning if it cannot be read on from there."""
        consumer.assign(list(ends.followed))
        self._places = {_place(ends, one): ends.starts[one] for one in ends.followed}
        self._seek(consumer, ends)
        known = self._table.positions()
        read = {one: known.get(_place(ends, one), 0) for one in ends.followed}
        reason = ""
        if anew := await made_anew(consumer, read, ends.ends):
            reason = f"{anew.topic}/{anew.partition} ends before what it has read, so it was made anew"
        elif known and self._missed_tombstones():
            reason = "it was behind for longer than Kafka keeps tombstones"
        if reason:
            log.warning("the table is built anew from Kafka: %s", reason)
            await self._in_thread(self._table.clear)
            self._listener.cleared()
            known, self.fresh_at = {}, None
        if not known:
            # nothing was read before this moment, so no tombstone can have been missed
            await self._in_thread(self._table.note_caught_up, now)
        self._seek(consumer, ends)
        self._listener.applied(Applied([], 0), self._positions())

    def _seek(self, consumer: AIOKafkaConsumer, ends: Ends) -> None:
        """To where the table stands."""
        positions = self._positions()
        for one in ends.followed:
            consumer.seek(one, positions[_place(ends, one)])

    def _positions(self) -> dict[tuple[str, int], int]:
        """How far each partition was read, those of which nothing was read, too."""
        known = self._table.positions()
        return {place: max(known.get(place, 0), start) for place, start in self._places.items()}

    def _missed_tombstones(self) -> bool:
        """Whether Kafka may have removed tombstones since the table was fresh."""
        at = self.fresh_at or self._table.caught_up_at()
        return at is None or abs(self._clock() - at) > AWAY_SECONDS

    async def _reached(self, consumer: AIOKafkaConsumer, awaited: dict[TopicPartition, int]) -> bool:
        """Whether all before the awaited ends is in the table. Compaction may have removed the last records."""
        behind = [max(end - await consumer.position(one), 0) for one, end in awaited.items()]
        self.lag = sum(behind)
        return not self.lag

    async def _note_fresh(self, at: float) -> None:
        self.fresh_at = at
        if abs(at - self._noted_at) >= _NOTE_SECONDS:
            await self._in_thread(self._table.note_caught_up, at)
            self._noted_at = at

    async def _apply(self, records: list[Any], ends: Ends) -> None:
        """Put a batch into the table, and tell of it.

        Decoding stays on the event loop, in slices: in a thread it would hold Python's lock for longer. Writing gives
        the lock back with every row.
        """
        batch = self._table.batch(ends.bounds)
        until = time.perf_counter() + _SLICE_SECONDS
        for record in records:
            try:
                batch.take(record, certain=False)
            except AheadError:
                await ends.look()
                batch.take(record)
            if time.perf_counter() >= until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _SLICE_SECONDS
        applied = await self._in_thread(self._table.write, batch)
        if applied.rejected:
            log.warning("%d records were left out: Touchline cannot have written them", applied.rejected)
        self.rejected += applied.rejected
        self._listener.applied(applied, self._positions())

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _forget(self) -> None:
        now = self._clock()
        if abs(now - self._forgot_at) >= _FORGET_SECONDS:
            await self._in_thread(self._table.forget, round(now * 1000) - FORGET_MS)
            self._forgot_at = now
        if abs(now - self._scrubbed_at) >= SCRUB_SECONDS:
            await self._in_thread(self._table.scrub)
            self._scrubbed_at = now


def _place(ends: Ends, one: TopicPartition) -> tuple[str, int]:
    return ends.followed[one].name, one.partition
