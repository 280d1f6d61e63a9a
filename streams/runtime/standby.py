"""Standbys: warm copies of the state of partitions that other workers own, so that a takeover reads only a tail.

A copy is what recovery has in its hands on its way: an empty state, and the changelog's records applied in their order.
So at any offset it is the state that a recovery has there, and a takeover goes on from that offset (state.py). Faust's
own standbys are not used. They apply to the tables of the agents, whose timers would act on another worker's partition.
A copy is in no table: no timer, no agent and no checkpoint sees it, and it writes nothing.

The leader of the group deals the copies (assignor.py), as many as TOUCHLINE_STANDBY_REPLICAS says.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from schemas.kafka_client import client_options, started
from schemas.topics import TOMBSTONE_MS
from streams.runtime.state import ChangelogState, PartitionState, UnusableRecordError

if TYPE_CHECKING:
    from streams.runtime.app import WorkerApp

S = TypeVar("S", bound=PartitionState)
#: Seconds for which a copy may be behind its changelog. Compaction removes tombstones after twice that time; a copy
#: that missed one would bring back what was deleted.
LONGEST_BEHIND: Final = TOMBSTONE_MS / 1000 / 2
#: How long a read waits for records: a copy takes up new partitions as often.
WAIT_MS: Final = 250
#: Records of a partition that are applied at once. The agents' fetches wait meanwhile.
AT_ONCE: Final = 500
#: Seconds before the next try after the broker did not answer.
RETRY_SECONDS: Final = 1.0

log: Final = logging.getLogger("touchline.worker")


@dataclass(slots=True)
class Copy(Generic[S]):
    """The state of one changelog partition up to an offset."""

    state: S
    current_at: float  #: when it was at the changelog's end, UTC s; when it began, if it never was
    offset: int = -1  #: the last one in the state
    lag: int = -1  #: offsets that are not in the state; -1 before that is known

    @property
    def is_current(self) -> bool:
        """Whether it was at the changelog's end when the broker was last asked."""
        return self.lag == 0


class Standbys:
    """The copies of one worker, by changelog partition."""

    def __init__(self, app: "WorkerApp", clock: Callable[[], float] = time.time) -> None:
        """`clock` gives UTC seconds. It goes on while the machine sleeps."""
        self._app = app
        self._clock = clock
        self._tables: dict[str, ChangelogState[Any]] = {}
        self._copies: dict[TopicPartition, Copy[Any]] = {}
        self._failed: set[TopicPartition] = set()  #: of which a record is unusable

    def add(self, table: ChangelogState[Any]) -> None:
        """Keep copies of this state as well, and let it take them over."""
        self._tables[table.topic_name] = table
        table.standby = self.take

    def take(self, topic: str, partition: int) -> Copy[Any] | None:
        """Hand over the copy of a partition, which this worker owns from now on; None if there is none to trust."""
        copy = self._copies.pop(TopicPartition(topic, partition), None)
        if copy is None or copy.offset < 0 or self._is_stale(copy):
            return None
        return copy

    def copies(self) -> dict[TopicPartition, Copy[Any]]:
        """The copies that there are."""
        return dict(self._copies)

    def partitions(self) -> int:
        """Of how many changelog partitions there are copies that were at the end when the broker was last asked."""
        return sum(copy.is_current for copy in self._copies.values())

    def behind(self) -> dict[str, int]:
        """By state, how many changelog offsets are not in its copies, as far as that is known."""
        found = dict.fromkeys((table.name for table in self._tables.values()), 0)
        for tp, copy in self._copies.items():
            found[self._tables[tp.topic].name] += max(0, copy.lag)
        return found

    async def run(self) -> None:
        """Follow the changelogs until the worker stops."""
        while not self._app.should_stop:
            self._failed &= self._dealt()
            if not self._dealt() - self._failed:
                await asyncio.sleep(WAIT_MS / 1000)
                continue
            consumer = AIOKafkaConsumer(
                **client_options(self._app.settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="none", fetch_max_wait_ms=WAIT_MS,
            )  # fmt: skip
            try:
                async with started(consumer):
                    await self._follow(consumer)
            except (KafkaError, OSError) as error:
                log.info("standby copies wait for the broker: %s %s", type(error).__name__, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, consumer: Any) -> None:
        followed: set[TopicPartition] = set()
        while not self._app.should_stop and (self._copies or self._dealt() - self._failed):
            self.align(self._dealt(), self._owned())
            if followed != self._copies.keys():
                followed = set(self._copies)
                await self._assign(consumer)
            try:
                found = await consumer.getmany(timeout_ms=WAIT_MS, max_records=AT_ONCE)
            except OffsetOutOfRangeError as error:
                for tp in error.args[0]:
                    self._begin_anew(tp, "its changelog has lost what comes next")
                followed = set()
                continue
            for tp, records in found.items():
                self.apply(tp, records)
                await asyncio.sleep(0)
            for tp, copy in list(self._copies.items()):
                end, asked_ms = consumer.highwater(tp), consumer.last_poll_timestamp(tp)
                if end is not None:
                    self._note(copy, max(0, end - await consumer.position(tp)), (asked_ms or 0) / 1000)

    async def _assign(self, consumer: Any) -> None:
        consumer.assign(list(self._copies))
        new = [tp for tp, copy in self._copies.items() if copy.offset < 0]
        begin = await consumer.beginning_offsets(new) if new else {}
        for tp, copy in self._copies.items():
            consumer.seek(tp, begin.get(tp, copy.offset + 1))

    def align(self, dealt: set[TopicPartition], owned: set[TopicPartition]) -> None:
        """Begin the copies that are dealt to this worker, and forget those that are not.

        A copy of a partition that this worker owns (`owned`) stays until `take`: the rebalance may not be there yet.
        """
        for tp, copy in list(self._copies.items()):
            waits = tp in owned and tp.partition not in self._tables[tp.topic].held_partitions()
            if tp not in dealt and not waits:
                del self._copies[tp]
            elif self._is_stale(copy):
                self._begin_anew(tp, "it was behind for too long")
        for tp in sorted(dealt - self._copies.keys() - self._failed - owned):
            self._copies[tp] = Copy(self._tables[tp.topic].empty(tp.partition), self._clock())

    def apply(self, tp: TopicPartition, records: list[Any]) -> None:
        """Apply the next records of a changelog partition. A copy that cannot take one is given up; the log says so."""
        copy = self._copies.get(tp)
        if copy is None or not records:
            return  # taken over, or dealt to somebody else, while the records came
        try:
            self._tables[tp.topic].apply_to(copy.state, records)
        except UnusableRecordError as error:
            log.warning(
                "the standby copy of partition %d of %s is given up: the record at offset %d is unusable (%s)",
                tp.partition, tp.topic, error.offset, error,
            )  # fmt: skip
            del self._copies[tp]
            self._failed.add(tp)
            return
        copy.offset = records[-1].offset

    def _note(self, copy: Copy[Any], lag: int, asked_at: float) -> None:
        if lag == 0:
            copy.current_at = max(copy.current_at, asked_at)
            if copy.lag:
                copy.state.caught_up()
        copy.lag = lag

    def _begin_anew(self, tp: TopicPartition, why: str) -> None:
        log.warning("the standby copy of partition %d of %s begins anew: %s", tp.partition, tp.topic, why)
        self._copies[tp] = Copy(self._tables[tp.topic].empty(tp.partition), self._clock())

    def _is_stale(self, copy: Copy[Any]) -> bool:
        return self._clock() - copy.current_at > LONGEST_BEHIND

    def _dealt(self) -> set[TopicPartition]:
        return self._places(self._app.assignor.dealt_standbys())

    def _owned(self) -> set[TopicPartition]:
        return {TopicPartition(tp.topic, tp.partition) for tp in self._app.assignor.assigned_actives()}

    def _places(self, partitions: Iterable[int]) -> set[TopicPartition]:
        return {TopicPartition(topic, partition) for topic in self._tables for partition in partitions}
