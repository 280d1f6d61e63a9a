"""An agent's state, by partition, restored from a compacted changelog by Faust's recovery.

Faust's own Table sends one changelog record per key through a buffer that drops failures. This one is only
the reading half: agents write the changelog themselves, through the publisher, after their outputs are safe.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final, Generic, Protocol, TypeVar

from faust.tables.table import Table
from faust.types import TP

from schemas.errors import TouchlineError
from streams.runtime.fetches import FetchSchema
from streams.runtime.garbage import keep_state


class PartitionState(Protocol):
    """What an agent keeps for one partition: a function of its changelog."""

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record; None deletes. Applying a changelog twice must change nothing."""

    def restored(self) -> None:
        """Called when the changelog has been read to its end."""


S = TypeVar("S", bound=PartitionState)

#: Fetches that Faust collects before it applies them. Not 1: to Faust that means that a table wants to go on
#: reading its changelog after recovery, and it would apply old records over newer state.
RECOVERY_BUFFER: Final = 4
#: How often a long recovery says how far it is.
PROGRESS_SECONDS: Final = 5.0

log: Final = logging.getLogger("touchline.worker")


class ChangelogState(Table, Generic[S]):  # type: ignore[misc]  # faust has no types for it
    """State of type S for each partition that this worker owns."""

    def __init__(self, app: Any, name: str, new: Callable[[int], S], **kwargs: Any) -> None:
        topic = app.topic(
            f"{app.conf.id}-{name}-changelog", schema=FetchSchema(), value_serializer="raw",
            internal=True, acks=False, compacting=True, maxsize=16, allow_empty=True,
        )  # fmt: skip
        super().__init__(
            app, name=name, changelog_topic=topic, recovery_buffer_size=RECOVERY_BUFFER, **kwargs
        )
        self._new = new
        self._by_partition: dict[int, S] = {}
        self._offsets: dict[int, int] = {}
        self._ours: set[int] = set()
        self._crashing: asyncio.Future[None] | None = None
        self._dropped = False  #: whether state was let go since the last recovery
        self.records_restored = 0
        self._said_at = monotonic()  #: when progress was reported

    def of(self, partition: int) -> S:
        """The state of one partition, empty if nothing is known of it yet."""
        state = self._by_partition.get(partition)
        if state is None:
            state = self._by_partition[partition] = self._new(partition)
        return state

    def holds(self, partition: int, state: S) -> bool:
        """Whether this is still the state of the partition: a rebalance may have taken it while somebody waited."""
        return self._by_partition.get(partition) is state

    def all(self) -> Iterable[S]:
        """The states of all partitions that this worker owns."""
        return list(self._by_partition.values())

    @property
    def topic_name(self) -> str:
        """The changelog topic's name."""
        return str(self.changelog_topic.get_topic_name())

    def written(self, partition: int, state: S, first: int, last: int) -> None:
        """Note our own changelog records of changes to `state`: they need not be read back.

        Only a range that follows what is known counts. A gap means that somebody else wrote in between
        (a worker that lost the partition and did not know yet): the next recovery reads that. And only the
        state that is there now counts: a fetch that was under way when the partition went, and perhaps came
        back, has changed one that is forgotten.
        """
        if self.holds(partition, state) and first == self._offsets.get(partition, -1) + 1:
            self._offsets[partition] = last

    def persisted_offset(self, tp: TP) -> int | None:
        """Where the next recovery of a partition begins."""
        return self._offsets.get(tp.partition)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply fetches of the changelog. A failure crashes the worker: Faust would log it and go on."""
        for event in batch:
            partition = event.message.partition
            if partition not in self._ours:
                continue  # collected before a rebalance took the partition away
            state = self.of(partition)
            for record in event.value:
                try:
                    state.restore(record.key, record.value)
                except Exception as error:
                    where = f"{self.topic_name}, partition {partition}, offset {record.offset}"
                    unusable = TouchlineError(
                        f"the changelog record at {where} is no use ({error}): it is damaged or of a newer release;"
                        " start that release, or empty the changelogs and read again with `touchline backfill`"
                    )
                    self._crashing = asyncio.ensure_future(self.app.crash(unusable))
                    raise unusable from error
            self.records_restored += len(event.value)
            self._offsets[partition] = event.message.offset
        if self.records_restored and monotonic() - self._said_at > PROGRESS_SECONDS:
            self._said_at = monotonic()
            log.warning("restoring %s: %s changelog records so far", self.name, f"{self.records_restored:,}")

    async def on_changelog_event(self, event: Any) -> None:
        """Faust's hook for single records; fetches are applied as batches."""

    async def on_rebalance(
        self,
        assigned: set[TP],
        revoked: set[TP],  # noqa: ARG002
        newly_assigned: set[TP],  # noqa: ARG002
        generation_id: int = 0,  # noqa: ARG002
    ) -> None:
        """Forget partitions that are no longer ours before recovery decides what to read."""
        self._ours = {tp.partition for tp in assigned if tp.topic == self.topic_name}
        for partition in set(self._by_partition) - self._ours:
            del self._by_partition[partition]
            self._dropped = True
        for partition in set(self._offsets) - self._ours:
            del self._offsets[partition]

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:  # noqa: ARG002
        """Let every partition finish its restoration. A failure crashes the worker: Faust would not look at it."""
        try:
            for state in self._by_partition.values():
                state.restored()
        except Exception as error:
            self._crashing = asyncio.ensure_future(self.app.crash(error))
            raise
        if self.records_restored:
            log.info("restored %s: %s changelog records", self.name, f"{self.records_restored:,}")
            self.records_restored = 0
        keep_state(dropped=self._dropped)
        self._dropped = False
        await self.call_recover_callbacks()
