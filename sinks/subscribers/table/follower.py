"""Keeps a table up to date with its topics: reads on where it stopped, knows how fresh the table is, and tails."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.errors import TouchlineError
from schemas.kafka_client import client_options
from schemas.settings import Settings
from schemas.version_bounds import AheadError
from sinks.subscribers.table.ends import Ends
from sinks.subscribers.table.entries import FOLLOWED
from sinks.subscribers.table.store import Applied, Positions, StateTable

_AGAIN_SECONDS: Final = 2.0  #: between two attempts to reach the broker or to find the topics
_LOOK_SECONDS: Final = 3.0  #: between two looks at the ends of the topics
_NOTE_SECONDS: Final = 60.0  #: between two notes on disk of how fresh the table is
_FETCH_MS: Final = 100
#: Records of a batch, before the table is fresh and after: a small batch delays look-ups less.
_BEHIND, _TAILING = 2000, 100
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
        self._forgot_at = clock()
        self._places: dict[
            tuple[str, int], int
        ] = {}  #: topic and partition → the first offset that Kafka has
        self.connected = False  #: whether the broker answered when it was last asked
        self.fresh_at: float | None = None  #: UTC seconds: the table has all that the topics had then
        self.lag = 0  #: records that the topics had and the table had not, at the last look
        self.rejected = 0  #: records that Touchline cannot have written

    def waits_for(self, fresh_seconds: float) -> str:
        """Why the table is older than so many seconds, in a sentence; empty if it is not."""
        if self.fresh_at is not None and self._clock() - self.fresh_at <= fresh_seconds:
            return ""
        if not self.connected:
            return "Kafka does not answer"
        return f"the table reads on: {self.lag:,} records are left"

    async def run(self) -> None:
        """Follow, for ever. Raises sqlite3.Error if the table cannot be written: a supervisor has to look."""
        while True:
            consumer = AIOKafkaConsumer(
                **client_options(self._settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="earliest", fetch_max_wait_ms=_FETCH_MS,
            )  # fmt: skip
            try:
                await consumer.start()
                await self._follow(consumer)
            except (KafkaError, OSError, TimeoutError, TouchlineError) as error:
                if self.connected or self.fresh_at is None:
                    log.warning("Kafka at %s does not answer as needed: %s", self._settings.brokers, error)
                self.connected = False
            finally:
                with suppress(Exception):
                    await consumer.stop()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        """Read until the broker does not answer, or the table has to be built anew."""
        ends = await Ends.of(consumer, self._settings, FOLLOWED)
        awaited, looked_at = dict(ends.ends), self._clock()
        asked_at = looked_at
        await self._begin(consumer, ends, looked_at)
        self.connected = True
        while not self._missed_tombstones():
            reached = await self._reached(consumer, awaited)
            if reached:
                await self._note_fresh(looked_at)
            if self._clock() - asked_at >= _LOOK_SECONDS:
                await ends.look()  # a fetch from a broker that is away just returns nothing: the look tells
                asked_at = self._clock()
                if reached:
                    awaited, looked_at = dict(ends.ends), asked_at
                await self._forget()
            fetched = await consumer.getmany(
                timeout_ms=_FETCH_MS, max_records=_BEHIND if self.fresh_at is None else _TAILING
            )
            if records := [record for part in fetched.values() for record in part]:
                await self._apply(records, ends)

    async def _begin(self, consumer: AIOKafkaConsumer, ends: Ends, now: float) -> None:
        """Go to where the table stands, or to the beginning if it cannot be read on from there."""
        known = self._table.positions()
        reason = ""
        if any(known.get(_place(ends, one), 0) > end for one, end in ends.ends.items()):
            reason = "the topics end before what it has read, so they were made anew"
        elif known and self._missed_tombstones():
            reason = "it was behind for longer than Kafka keeps tombstones"
        if reason:
            log.warning("the table is built anew from Kafka: %s", reason)
            await asyncio.to_thread(self._table.clear)
            self._listener.cleared()
            known, self.fresh_at = {}, None
        if not known:
            # nothing was read before this moment, so no tombstone can have been missed
            await asyncio.to_thread(self._table.note_caught_up, now)
        consumer.assign(list(ends.followed))
        self._places = {_place(ends, one): ends.starts[one] for one in ends.followed}
        for one in ends.followed:
            consumer.seek(one, self._positions()[_place(ends, one)])
        self._listener.applied(Applied([], 0), self._positions())

    def _positions(self) -> dict[tuple[str, int], int]:
        """How far each partition was read, those of which nothing was read, too."""
        known = self._table.positions()
        return {place: max(known.get(place, 0), start) for place, start in self._places.items()}

    def _missed_tombstones(self) -> bool:
        """Whether Kafka may have removed tombstones since the table was fresh."""
        at = self.fresh_at or self._table.caught_up_at()
        return at is None or self._clock() - at > AWAY_SECONDS

    async def _reached(self, consumer: AIOKafkaConsumer, awaited: dict[TopicPartition, int]) -> bool:
        """Whether all before the awaited ends is in the table. Compaction may have removed the last records."""
        behind = [max(end - await consumer.position(one), 0) for one, end in awaited.items()]
        self.lag = sum(behind)
        return not self.lag

    async def _note_fresh(self, at: float) -> None:
        self.fresh_at = at
        if at - self._noted_at >= _NOTE_SECONDS:
            await asyncio.to_thread(self._table.note_caught_up, at)
            self._noted_at = at

    async def _apply(self, records: list[Any], ends: Ends) -> None:
        """Put a batch into the table, off the event loop, and tell of it."""
        try:
            batch = await asyncio.to_thread(self._table.apply, records, ends.bounds, certain=False)
        except AheadError:
            await ends.look()
            batch = await asyncio.to_thread(self._table.apply, records, ends.bounds)
        if batch.rejected:
            log.warning("%d records were left out: Touchline cannot have written them", batch.rejected)
        self.rejected += batch.rejected
        self._listener.applied(batch, self._positions())

    async def _forget(self) -> None:
        now = self._clock()
        if now - self._forgot_at >= _FORGET_SECONDS:
            await asyncio.to_thread(self._table.forget, round(now * 1000) - FORGET_MS)
            self._forgot_at = now


def _place(ends: Ends, one: TopicPartition) -> tuple[str, int]:
    return ends.followed[one].name, one.partition
