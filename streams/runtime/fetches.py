"""Faust's consumer at fetch granularity: one message per partition fetch instead of one per record.

A fetch is a list of records with one acknowledgement. Faust keeps the consumer group, the assignment, recovery and
flow control. This module replaces how records become messages, and how acknowledgements become commits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from aiokafka.errors import IllegalStateError
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message

from streams.runtime.bounded_reads import bound_reads
from streams.runtime.log_ends import log_ends
from streams.runtime.native_core import chosen_core
from streams.runtime.offset_tracker import Fetch, OffsetTracker
from streams.runtime.record_batches import read_batches_by

#: Milliseconds that a broker may hold back the answer to a fetch request for which it has no records.
FETCH_WAIT_MS: Final = 100
#: Seconds that aiokafka waits before its next fetch request while records of the last answer are unread.
FETCH_BACKOFF_SECONDS: Final = 0.01
#: Seconds that one read waits for records while some partitions are left out because their queues are full.
BACKPRESSURE_SECONDS: Final = 0.02

#: How often the ends of partitions that are not fetched are asked for.
END_SECONDS: Final = 1.0

_NEVER_ACKNOWLEDGED: Final = Fetch(-1, done=True)


class FetchMessage(ConsumerMessage):  # type: ignore[misc]  # faust has no types for it
    """A partition fetch as a Faust message: `value` is the list of records, `offset` is the last record's."""

    __slots__ = ("fetch",)
    fetch: Fetch


class FetchSchema(Schema):  # type: ignore[misc]
    """Passes fetches on undecoded: the agent decodes each record, so it can dead-letter a single one."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return Faust's decode function for a topic. It never raises: Faust would acknowledge the message."""

        async def decode(message: Message, *, propagate: bool = False) -> Any:  # noqa: ARG001 (Faust's signature)
            return app.create_event(None, message.value, message.headers, message)

        return decode


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The consumer thread. It shortens fetch waits, so that available records do not wait for empty partitions.

    aiokafka has one fetch request per broker under way. Partitions with unread records are left out of the request,
    and have to wait until it is answered: up to 1.5 s with Faust's settings. While any record is unread, aiokafka also
    waits 0.1 s before its next request. Neither library has a setting for these times.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Connect to the broker."""
        bound_reads()
        read_batches_by(chosen_core())
        await super().on_start()
        self._consumer._fetcher._prefetch_backoff = FETCH_BACKOFF_SECONDS


class NoReadOffsets(dict[TP, int | None]):
    """Faust's memory of what it delivered, which remembers nothing: every fetch that is read is delivered.

    Faust drops a message before the last one that it delivered. It notes a message after its delivery: when a seek
    comes in between, the note stands for a position that is no longer read. What is read again would be dropped, never
    be acknowledged, and the partition would stand still until the next rebalance.
    """

    def __missing__(self, _: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        """Note nothing."""

    def update(self, *_: Any, **__: Any) -> None:
        """Note nothing."""


class FetchConsumer(driver.Consumer):  # type: ignore[misc]
    """Reads fetches, tracks their offsets, and commits before a partition is revoked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offset_tracker: OffsetTracker[TP] = OffsetTracker()
        self._read_offset = NoReadOffsets()
        #: how often a seek began or ended: a fetch that was read before its end must not be delivered
        self._seek_count = 0
        self._seeking = asyncio.Lock()
        #: of partitions whose queue is full: an answer to a fetch would tell their end, and none is asked for
        self._ends: dict[TP, int] = {}
        self._ends_asked, self._asks_ends = 0.0, False  #: when last, and whether the answer is awaited

    def _new_consumer_thread(self) -> Any:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 (Faust's)
        """Yield one message for each partition of which the broker returned records."""
        generation, seek_count = self.app.consumer_generation_id, self._seek_count
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        for tp, fetched in records.items():
            stale = generation != self.app.consumer_generation_id or seek_count != self._seek_count
            if stale or self._seeking.locked() or not self.flow_active:
                # fetches that are dropped here must be read again
                await self._rewind(records)
                return
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                await self.seek(tp, fetched[0].offset)
                continue
            if fetched:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, self._to_fetch(tp, fetched, generation)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's)
        full = self.app.partition_queues.full()
        self._ends = {tp: end for tp, end in self._ends.items() if tp in full}
        if not full or active_partitions is None:
            return await super()._getmany(active_partitions, timeout)
        now = monotonic()
        if not self._asks_ends and now - self._ends_asked >= END_SECONDS:
            self._ends_asked, self._asks_ends = now, True
            self.add_future(self._ask_ends(full & active_partitions))
        left = active_partitions - full
        if not left:
            await asyncio.sleep(BACKPRESSURE_SECONDS)
            return {}  # for aiokafka, an empty set of partitions means all of them
        return await super()._getmany(left, min(timeout, BACKPRESSURE_SECONDS))

    async def _ask_ends(self, partitions: set[TP]) -> None:
        """Learn from the broker how far these partitions go. One that does not answer is asked again later."""
        try:
            with suppress(Exception):  # a gauge that is old stops no worker
                found = await self._thread.highwaters(*(driver.ensure_aiokafka_TP(tp) for tp in partitions))
                self._ends |= {TP(tp.topic, tp.partition): end for tp, end in found.items()}
        finally:
            self._asks_ends = False

    def _to_fetch(self, tp: TP, records: list[Any], generation: int) -> FetchMessage:
        last = records[-1]
        message = FetchMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, None, None,
            records, None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip
        # recovery reads changelog fetches and never acknowledges them
        message.fetch = (
            _NEVER_ACKNOWLEDGED
            if self._is_changelog_tp(tp)
            else self._offset_tracker.track(tp, last.offset, monotonic())
        )
        return message

    def committed_offset(self, tp: TP) -> int:
        """The offset up to which a partition is committed, as of the last seek or commit; 0 for none."""
        return self._committed_offset.get(tp) or 0

    def progress(self) -> list[tuple[TP, int, float]]:
        """Of each assigned input partition: records that are not committed, and seconds since the oldest was read.

        Where the group has never committed, all records up to the end count. Nothing before the consumer has started.
        """
        if self._thread._consumer is None:
            return []
        now = monotonic()
        found = []
        for tp in self.assignment():
            if not self._is_changelog_tp(tp):
                read_at = self._offset_tracker.read_at(tp)
                # None before the first fetch; that of the last fetch is old while the queue is full
                end = max(self.highwater(tp) or 0, self._ends.get(tp, 0))
                found.append(
                    (tp, max(0, end - self.committed_offset(tp)), 0.0 if read_at is None else now - read_at)
                )
        return found

    def ack(self, message: Message) -> bool:
        """Mark the message's fetch as done; its offset is committed at the next commit interval."""
        if message.acked:
            return False
        message.acked = True
        message.fetch.done = True
        self._unacked_messages.discard(message)
        # creates the key, by which Faust knows that this partition has offsets to commit
        self._acked[message.tp]
        self._n_acked += 1
        return True

    def _new_offset(self, tp: TP) -> int | None:
        return self._offset_tracker.pop_committable(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Commit. Faust notes a commit that a rebalance refused as done: it would never be repeated."""
        before = {tp: self._committed_offset.get(tp) for tp in offsets}
        if await super()._commit_offsets(offsets, start_new_transaction):
            return True
        for tp, offset in offsets.items():
            if self._committed_offset.get(tp) == offset:
                self._committed_offset[tp] = before[tp]
        return False

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing about offsets that compaction removed: the offset tracker counts fetches, not offsets."""

    async def _rewind(self, records: Iterable[TP]) -> None:
        """Seek back: inputs to the committed offset, changelogs to the offset that recovery has applied.

        A fetch may have been read before or after the seeks of a rebalance, and the two cannot be told apart. Seeking
        back is right for both.
        """
        assigned = self.assignment()
        if not assigned:
            return
        # a rebalance may revoke partitions meanwhile; it ends with its own perform_seek for the remaining ones
        with suppress(IllegalStateError):
            await self.perform_seek()
            applied = self.app.tables.recovery.active_offsets
            for tp in records:
                if tp in assigned and self._is_changelog_tp(tp):
                    await self.seek(tp, max(applied.get(tp) or 0, 0))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's livelock warnings count single records, and fail for a partition without a position."""

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        """The end offsets of changelogs, up to which recovery reads."""
        reported = await super().highwaters(*partitions)
        places = {driver.ensure_aiokafka_TP(tp): end or 0 for tp, end in reported.items()}
        ends = await log_ends(self.app.settings, places)
        return {tp: ends[driver.ensure_aiokafka_TP(tp)] for tp in reported}

    async def perform_seek(self) -> None:
        """Seek to the committed offset of each partition, or to its beginning if nothing was committed.

        aiokafka seeks only partitions with a positive committed offset. It would read the others on from their present
        position, which loses records that were fetched but not processed before the first commit.

        Faust lets the consumer read inputs while it seeks. Such a fetch may come from either side of the seek:
        `getmany` reads it again.
        """
        async with self._seeking:
            self._seek_count += 1
            try:
                self._offset_tracker.forget()
                await super().perform_seek()
                fresh = [
                    tp
                    for tp in self.assignment()
                    if not self._committed_offset.get(tp) and not self._is_changelog_tp(tp)
                ]
                if fresh:
                    await self._thread.seek_to_beginning(*(driver.ensure_aiokafka_TP(tp) for tp in fresh))
            finally:
                self._seek_count += 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit the done fetches before the partitions are given up: their next owner need not repeat them."""
        await self.commit()
        await super().on_partitions_revoked(revoked)
        self._seek_count += 1
        self._offset_tracker.forget(revoked)


class FetchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with this module's consumer."""

    Consumer = FetchConsumer
