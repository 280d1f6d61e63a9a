"""The state of an agent, by partition, restored from a compacted changelog by Faust's recovery.

Faust's own Table sends its changelog records through a buffer that drops failures. This table only reads: agents write
their changelog records through the publisher, after the broker has acknowledged their outputs.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any, Final, Generic, Protocol, TypeVar

from faust.tables.table import Table
from faust.types import TP

from schemas.errors import TouchlineError
from streams.runtime import metrics
from streams.runtime.fetches import FetchSchema
from streams.runtime.garbage import freeze_live_objects


class PartitionState(Protocol):
    """The state of an agent for one partition: a function of its changelog."""

    def restore_some(self, records: list[Any], start: int) -> int:
        """Apply changelog records from `start` on, as many as can be applied at once.

        Returns the place of the first that was not; `restore` is to take that one.
        """

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record; a value of None deletes its key. Must be idempotent over whole changelogs."""

    def restored(self) -> None:
        """Called when recovery has read the changelog to its end."""

    def caught_up(self) -> None:
        """Called when a standby copy (standby.py) has read the changelog to its end: more will follow."""

    def sizes(self) -> dict[str, int]:
        """How much of what it holds, for metrics; called often, so it must not count one by one."""


S = TypeVar("S", bound=PartitionState)
S_co = TypeVar("S_co", bound=PartitionState, covariant=True)


class Copied(Protocol[S_co]):
    """A state that was read beside the group, up to a changelog offset."""

    @property
    def state(self) -> S_co: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def is_current(self) -> bool: ...  # noqa: D102


#: Fetches that Faust collects before it applies them. It must not be 1: Faust would then go on reading the changelog
#: after recovery, and apply old records over newer state.
RECOVERY_BUFFER: Final = 4
#: Seconds between two progress messages of a long recovery.
PROGRESS_SECONDS: Final = 5.0

log: Final = logging.getLogger("touchline.worker")


class UnusableRecordError(TouchlineError):
    """A changelog record cannot be read."""

    def __init__(self, why: str, offset: int) -> None:
        """`offset` is the record's."""
        super().__init__(why)
        self.offset = offset


class ChangelogState(Table, Generic[S]):  # type: ignore[misc]  # faust has no types for it
    """The state of type S of each partition that this worker owns."""

    def __init__(self, app: Any, name: str, new: Callable[[int], S], **kwargs: Any) -> None:
        """`new` makes an empty state of a partition."""
        topic = app.topic(
            f"{app.conf.id}-{name}-changelog", schema=FetchSchema(), value_serializer="raw",
            internal=True, acks=False, compacting=True, maxsize=16, allow_empty=True,
        )  # fmt: skip
        super().__init__(
            app, name=name, changelog_topic=topic, recovery_buffer_size=RECOVERY_BUFFER, **kwargs
        )
        self._new = new
        #: gives the state of a changelog partition from elsewhere, and the last offset in it; None if nothing has it
        self.checkpointed: Callable[[str, int], Awaitable[tuple[S, int] | None]] | None = None
        #: gives the standby copy of a changelog partition, which is then the state; None if there is none
        self.standby: Callable[[str, int], Copied[S] | None] | None = None
        self._by_partition: dict[int, S] = {}
        self._offsets: dict[int, int] = {}
        self._assigned: set[int] = set()
        self._recovered: set[int] = set()  #: partitions whose state is in use: nobody else owned them since
        self._generation = -1
        self._crashing: asyncio.Future[None] | None = None
        self._dropped = False  #: whether state was released since the last recovery
        self.records_restored = 0
        self._reported_at = monotonic()  #: when progress was reported

    def of(self, partition: int) -> S:
        """The state of one partition. Creates an empty state if there is none yet."""
        state = self._by_partition.get(partition)
        if state is None:
            state = self._by_partition[partition] = self._new(partition)
        return state

    def empty(self, partition: int) -> S:
        """A new, empty state of a partition, which this table does not keep."""
        return self._new(partition)

    def holds(self, partition: int, state: S) -> bool:
        """Whether `state` is still the state of the partition: a rebalance may have replaced it meanwhile.

        An agent that goes on with an older fetch may also have made one of a partition that this worker has lost.
        Agents without a consumer group, of which no rebalance tells, hold every partition.
        """
        ours = self._generation < 0 or partition in self._assigned
        return ours and self._by_partition.get(partition) is state

    def all(self) -> Iterable[S]:
        """The states of all partitions that this worker owns."""
        return list(self._by_partition.values())

    def held_partitions(self) -> list[int]:
        """The partitions with a state."""
        return list(self._by_partition)

    def sizes(self) -> Counter[str]:
        """How much the states hold together, by kind."""
        found: Counter[str] = Counter()
        for state in self.all():
            found.update(state.sizes())
        return found

    def left_to_restore(self) -> int:
        """Changelog offsets that the recovery under way has still to read; 0 if there is none."""
        waiting = (TP(self.topic_name, partition) for partition in self._assigned - self._recovered)
        return sum(
            max(0, self.app.last_changelog_offset(tp) - self._offsets.get(tp.partition, -1)) for tp in waiting
        )

    @property
    def topic_name(self) -> str:
        """The changelog topic's name."""
        return str(self.changelog_topic.get_topic_name())

    def record_own_writes(self, partition: int, state: S, first: int, last: int) -> None:
        """Note the offsets of this worker's own changelog records of changes to `state`: recovery need not read them.

        Ignores a range that leaves a gap after the last known offset. Another worker wrote in between (one that had
        lost the partition and did not know yet), and the next recovery must read its records. Ignores writes of a
        state object that a rebalance has replaced since.
        """
        if self.holds(partition, state) and first == self._offsets.get(partition, -1) + 1:
            self._offsets[partition] = last

    def known_offsets(self) -> dict[int, int]:
        """By partition that this worker owns, the last changelog offset in its state, -1 before the first."""
        return {partition: self._offsets.get(partition, -1) for partition in self._recovered}

    def last_known(self, partition: int) -> int:
        """The last changelog offset in the state of a partition, -1 before the first."""
        return self._offsets.get(partition, -1)

    def record_foreign_writes(self, partition: int, state: S, last: int) -> None:
        """Note that the foreign changelog records up to an offset have been corrected in `state` or are about to be."""
        if self.holds(partition, state):
            self._offsets[partition] = last

    def persisted_offset(self, tp: TP) -> int | None:
        """The last changelog offset in the state, None before the first. The next recovery begins after it."""
        return self._offsets.get(tp.partition)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply fetches of the changelog. A failure stops the worker; Faust would only log it."""
        for event in batch:
            partition = event.message.partition
            if partition not in self._assigned:
                continue  # collected before a rebalance revoked the partition
            if partition in self._recovered:
                continue  # a former owner wrote it late: streams/runtime/foreign_writes.py sees to it
            self._apply(self.of(partition), event.value, partition)
            self.records_restored += len(event.value)
            metrics.RESTORED.labels(self.name).inc(len(event.value))
            self._offsets[partition] = event.message.offset
        if self.records_restored and monotonic() - self._reported_at > PROGRESS_SECONDS:
            self._reported_at = monotonic()
            log.warning("restoring %s: %s changelog records so far", self.name, f"{self.records_restored:,}")

    def _apply(self, state: S, records: list[Any], partition: int) -> None:
        try:
            self.apply_to(state, records)
        except UnusableRecordError as error:
            where = f"{self.topic_name}, partition {partition}, offset {error.offset}"
            unusable = TouchlineError(
                f"the changelog record at {where} is unusable ({error}): it is damaged or of a newer release;"
                " start that release, or empty the changelogs and read again with `touchline backfill`"
            )
            self._crashing = asyncio.ensure_future(self.app.crash(unusable))
            raise unusable from error

    @staticmethod
    def apply_to(state: S, records: list[Any]) -> None:
        """Apply changelog records to a state, in their order. Raises UnusableRecordError."""
        done = 0
        while done < len(records):
            try:
                done = state.restore_some(records, done)
                if done < len(records):
                    state.restore(records[done].key, records[done].value)
                    done += 1
            except Exception as error:
                raise UnusableRecordError(str(error), records[done].offset) from error

    async def on_changelog_event(self, event: Any) -> None:
        """Faust's hook for single records: unused, since fetches are applied as batches."""

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,
    ) -> None:
        """Drop the state of revoked partitions, before recovery decides which offsets to read.

        Drops all state if this worker missed a generation of the group: another worker may have owned its partitions.
        """
        self._assigned = {tp.partition for tp in assigned if tp.topic == self.topic_name}
        kept = self._assigned if generation_id == self._generation + 1 else set()
        self._generation = generation_id
        self._recovered &= kept
        for partition in set(self._by_partition) - kept:
            del self._by_partition[partition]
            self._dropped = True
            self.app.recover_from_beginning(TP(self.topic_name, partition))
        for partition in set(self._offsets) - kept:
            del self._offsets[partition]
        for partition in sorted(self._assigned - set(self._by_partition)):
            found = await self._read_elsewhere(partition)
            if found is not None:
                self._by_partition[partition], self._offsets[partition] = found

    async def _read_elsewhere(self, partition: int) -> tuple[S, int] | None:
        """A state that recovery need not read from the changelog's beginning, and the last offset in it."""
        copy = None if self.standby is None else self.standby(self.topic_name, partition)
        if (copy is None or not copy.is_current) and self.checkpointed is not None:
            found = await self.checkpointed(self.topic_name, partition)
            if found is not None and (copy is None or copy.offset < found[1]):
                return found
        if copy is None:
            return None
        log.info("%s, partition %d: taken over from the standby copy", self.name, partition)
        return copy.state, copy.offset

    def _is_recovered(self, tp: TP) -> bool:
        last = self._offsets.get(tp.partition, -1)
        return tp.partition in self._assigned and last >= self.app.last_changelog_offset(tp)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:  # noqa: ARG002
        """Call `restored` on the state of each partition. A failure stops the worker; Faust would ignore it."""
        try:
            for partition, state in self._by_partition.items():
                if partition not in self._recovered:
                    state.restored()
            # a later rebalance may have begun meanwhile, and what it assigned is not recovered yet
            self._recovered |= {tp.partition for tp in active_tps if self._is_recovered(tp)}
        except Exception as error:
            self._crashing = asyncio.ensure_future(self.app.crash(error))
            raise
        if self.records_restored:
            log.info("restored %s: %s changelog records", self.name, f"{self.records_restored:,}")
            self.records_restored = 0
        freeze_live_objects(dropped=self._dropped)
        self._dropped = False
        await self.call_recover_callbacks()
