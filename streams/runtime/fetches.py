"""Faust's consumer, one message per partition fetch instead of one per record (RELIABILITY: "one fetch = one event").

A fetch is a list of records with one acknowledgement. Faust keeps the group, the assignment, recovery and
flow control; this module replaces how records become messages and how acknowledgements become commits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Final

from aiokafka.errors import IllegalStateError
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage, Message

from streams.runtime.ledger import Fetch, Ledger
from streams.runtime.log_ends import log_ends

#: So long a broker may keep a fetch that it has nothing for.
FETCH_WAIT_MS: Final = 100
#: So long aiokafka asks for nothing more while something of the last fetch is left.
FETCH_BACKOFF_SECONDS: Final = 0.01
#: How long reading waits for records of other partitions while some are left out, because enough of them is waiting.
FULL_SECONDS: Final = 0.02

_SPENT: Final = Fetch(-1, done=True)


class FetchMessage(ConsumerMessage):  # type: ignore[misc]  # faust has no types for it
    """A partition fetch as a Faust message: `value` is the list of records, `offset` the last one's."""

    __slots__ = ("fetch",)
    fetch: Fetch


class FetchSchema(Schema):  # type: ignore[misc]
    """Hands fetches through undecoded: decoding happens in the agent, which can dead-letter a single record."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return Faust's decode function for a topic. It never raises: Faust would acknowledge the message."""

        async def decode(message: Message, *, propagate: bool = False) -> Any:  # noqa: ARG001 (Faust's signature)
            return app.create_event(None, message.value, message.headers, message)

        return decode


class FetchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that reads, which does not keep what is there waiting for what is not.

    aiokafka asks each broker for one fetch at a time. What it has read and nobody took yet stays out of the next one,
    and has to wait until that is answered: Faust allows 1.5 s. And while something is left to take, aiokafka does not
    ask for anything for 0.1 s. Neither library has a setting for it.
    """

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        """Connect."""
        await super().on_start()
        self._consumer._fetcher._prefetch_backoff = FETCH_BACKOFF_SECONDS


class FetchConsumer(driver.Consumer):  # type: ignore[misc]
    """Reads fetches, keeps the ledger, commits before it gives partitions away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ledger: Ledger[TP] = Ledger()
        self._seeks = 0  #: a fetch that was read before a seek must not be handed on after it

    def _new_consumer_thread(self) -> Any:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ASYNC109 (Faust's)
        """Yield one message for each partition that the broker returned records of."""
        generation, seeks = self.app.consumer_generation_id, self._seeks
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        for tp, fetched in records.items():
            stale = generation != self.app.consumer_generation_id or seeks != self._seeks
            if stale or not self.flow_active:
                # a fetch may be left out only by reading it again
                await self._read_again(records)
                return
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                await self.seek(tp, fetched[0].offset)
                continue
            if fetched:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, self._to_fetch(tp, fetched, generation)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's)
        full = self.app.lanes.full()
        if not full or active_partitions is None:
            return await super()._getmany(active_partitions, timeout)
        left = active_partitions - full
        if not left:
            await asyncio.sleep(FULL_SECONDS)
            return {}  # aiokafka would take no partitions for all of them
        return await super()._getmany(left, min(timeout, FULL_SECONDS))

    def _to_fetch(self, tp: TP, records: list[Any], generation: int) -> FetchMessage:
        last = records[-1]
        message = FetchMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000.0, last.timestamp_type, None, None,
            records, None, 0, 0, tp, generation_id=generation,
        )  # fmt: skip
        # changelog fetches are read during recovery and never acknowledged
        message.fetch = _SPENT if self._is_changelog_tp(tp) else self._ledger.open(tp, last.offset)
        return message

    def ack(self, message: Message) -> bool:
        """Mark the message's fetch as done; the commit follows at the next interval."""
        if message.acked:
            return False
        message.acked = True
        message.fetch.done = True
        self._unacked_messages.discard(message)
        self._acked[message.tp]  # the key tells Faust that this partition has something to commit
        self._n_acked += 1
        return True

    def _new_offset(self, tp: TP) -> int | None:
        return self._ledger.committable(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets missing between fetches (compaction) need no bookkeeping: the ledger counts fetches."""

    async def _read_again(self, records: Iterable[TP]) -> None:
        """Go back so far that nothing is missed: to what was committed, or in a changelog to what was applied.

        Whether the fetch came before a rebalance's own seeks or after them cannot be told, and need not be.
        """
        assigned = self.assignment()
        if not assigned:
            return
        # a rebalance may take partitions away meanwhile: it ends in a perform_seek of its own, for all that is left
        with suppress(IllegalStateError):
            await self.perform_seek()
            applied = self.app.tables.recovery.active_offsets
            for tp in records:
                if tp in assigned and self._is_changelog_tp(tp):
                    await self.seek(tp, max(applied.get(tp) or 0, 0))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's warnings of a livelock count single records, and fail on a partition that has no position yet."""

    async def highwaters(self, *partitions: TP) -> dict[TP, int]:
        """The ends of changelogs: how far recovery has to read."""
        reported = await super().highwaters(*partitions)
        places = {driver.ensure_aiokafka_TP(tp): end or 0 for tp, end in reported.items()}
        ends = await log_ends(self.app.settings.brokers, places)
        return {tp: ends[driver.ensure_aiokafka_TP(tp)] for tp in reported}

    async def perform_seek(self) -> None:
        """Go back to the committed offsets, or to the beginning where nothing was committed yet.

        aiokafka seeks only where a positive offset was committed and would otherwise read on from where
        it stands, which loses what was fetched but not processed before the first commit.
        """
        self._seeks += 1
        self._ledger.forget()
        await super().perform_seek()
        fresh = [
            tp
            for tp in self.assignment()
            if not self._committed_offset.get(tp) and not self._is_changelog_tp(tp)
        ]
        if fresh:
            await self._thread.seek_to_beginning(*(driver.ensure_aiokafka_TP(tp) for tp in fresh))
        for tp in self.assignment():
            if not self._is_changelog_tp(tp):
                self._read_offset[tp] = self._committed_offset.get(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done, then let go: the next owner reads nothing twice that it need not."""
        await self.commit()
        await super().on_partitions_revoked(revoked)
        self._seeks += 1
        self._ledger.forget(revoked)


class FetchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the fetch consumer."""

    Consumer = FetchConsumer
