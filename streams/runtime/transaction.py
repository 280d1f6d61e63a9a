"""The fetch transaction: the order in which the effects of a partition fetch take place.

1. Publish the outputs together with the write-ahead records. The broker acknowledges both.
2. Publish the announced outputs: those that a write-ahead record announces.
3. Write the changelog. The broker acknowledges it.
4. Run the background work, if there is any, and publish its outputs. The agent takes its next fetch meanwhile.
5. Acknowledge the fetch, so that its offset may be committed.

A crash between two steps repeats the fetch. Outputs precede the changelog, so that recovered state never hides an
output that was not published. Every output is idempotent, so that repeating it changes nothing. docs/delivery.md
derives the guarantees.
"""

import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from schemas import topics
from streams.runtime import metrics
from streams.runtime.fence import Fence
from streams.runtime.publisher import Headers, Outbox, OutgoingRecord, TopicPartition
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState, PartitionState

if TYPE_CHECKING:
    from streams.runtime.app import WorkerApp

S = TypeVar("S", bound=PartitionState)
#: How long announced outputs wait for a rebalance to end.
REBALANCE_SECONDS: Final = 30.0
#: A changelog record: key, and value or None for a tombstone.
Change: TypeAlias = tuple[bytes, bytes | None]


class _DeadLetterGuard:
    """The context manager of `dead_letter`. One object serves a whole fetch: a generator would cost 1 µs per record.

    It does not refer to its transaction: the two would be a cycle, which keeps the records until the next collection.
    """

    __slots__ = ("_app", "_component", "_outputs", "record")

    def __init__(self, outputs: Outbox, app: "WorkerApp", component: str) -> None:
        self._outputs = outputs
        self._app = app
        self._component = component
        self.record: Any = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        letter = dead_letter(self.record, error, self._component, self._app.touchpoint_tracer)
        self._outputs.add(self._app.settings.topic(topics.DEAD_LETTERS.name), self.record.key or b"", letter)
        return True


class FetchTransaction(Generic[S]):
    """The effects of one fetch, or of one timer run, on one partition: an async context manager that commits them.

    The body of the `async with` mutates `state`, which is in memory, and adds records here. Leaving the body runs the
    five steps above. An exception in the body or in a step leaves the fetch unacknowledged and stops the worker.
    """

    def __init__(
        self, app: "WorkerApp", table: ChangelogState[S], partition: int, component: str, event: Any = None,
        fence: Fence[S] | None = None,
    ) -> None:  # fmt: skip
        """`component` is named in dead letters. `event` is the Faust event of the fetch; None for a timer.

        An agent that announces outputs needs a `fence`.
        """
        self.partition = partition
        self.state = table.of(partition)
        self.outputs = app.outbox()
        self.announced = app.outbox()  #: published only once `write_ahead` is in the changelog
        self.write_ahead: list[OutgoingRecord] = []
        self.changes = app.outbox()
        self._deferred: list[Callable[[], list[OutgoingRecord]]] = []
        self._background: Callable[[Outbox], Awaitable[None]] | None = None
        self._app = app
        self._table = table
        self._changelog: TopicPartition = table.topic_name, partition
        self._event = event
        self._began = 0 if app.touchpoint_tracer is None else time.time_ns()
        self._fence = fence
        self._component = component
        self._guard = _DeadLetterGuard(self.outputs, app, component)

    def publish(self, topic: str, key: bytes, value: bytes | None, headers: Headers | None = None) -> None:
        """Add an output on the partition that its key determines. A value of None is a tombstone."""
        self.outputs.add(topic, key, value, headers)

    def write(self, key: bytes, value: bytes | None) -> None:
        """Add a changelog record; a value of None deletes its key."""
        self.changes.add_at(self._changelog, key, value)

    def write_all(self, records: list[OutgoingRecord]) -> None:
        """Add changelog records, in order."""
        self.changes.extend(self._changelog, records)

    def write_after_outputs(self, changes: Callable[[], list[OutgoingRecord]]) -> None:
        """Add changelog records that depend on the published outputs: step 3 calls `changes` and writes its result."""
        self._deferred.append(changes)

    def finish_in_background(self, work: Callable[[Outbox], Awaitable[None]]) -> None:
        """Run `work` in step 4: it fills a further outbox. The fetch is acknowledged once that outbox is published."""
        self._background = work

    def dead_letter(self, record: Any) -> "_DeadLetterGuard":
        """Turn an exception that the body of the `with` raises about `record` into a dead letter; the fetch goes on.

        Raises errors again that the record did not cause: MemoryError, OSError, a TouchlineError that is no
        ContractError.
        """
        self._guard.record = record
        return self._guard

    async def __aenter__(self) -> "FetchTransaction[S]":
        if self._fence is not None:
            for key, value in await self._fence.claim(self.partition, self.state):
                self.write(key, value)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._commit()

    async def _commit(self) -> None:
        """Run the steps. Stop without an acknowledgement once a rebalance has taken the partition away.

        The partition's new owner reads the fetch again. A changelog record that the former owner writes after the new
        owner has recovered is missing in the new owner's memory, so such records are avoided as far as can be known.
        """
        if not (self._held and await self._publish_outputs() and self._held):
            return
        for changes in self._deferred:
            self.changes.extend(self._changelog, changes())
        self._record_own_writes(await self._publish(self.changes))
        if self._background is not None:
            await self._app.run_in_background(self._finish_in_background(self._background))
        elif self._event is not None:
            self._acknowledge()

    async def _publish_outputs(self) -> bool:
        """Steps 1 and 2. Returns False if a rebalance revoked the partition between them.

        The partition's new owner may have read the changelog before the write-ahead records were in it. It would not
        know which outputs to retract, so the announced outputs must not be published.
        """
        if not self.write_ahead:
            self.outputs.add_all(self.announced)
            await self._publish(self.outputs)
            return True
        self.outputs.extend(self._changelog, self.write_ahead)
        ends = await self._publish(self.outputs)
        if self._fence is not None and not await self._fence.may_announce(
            self.partition, self.state, *ends[self._changelog]
        ):
            return False
        self._record_own_writes(ends)
        if self._app.rebalancing:
            # the end of the rebalance shows whether the partition is still this worker's; the new owner would have
            # to find and retract a signal that is announced after it
            await self._app.wait_until(lambda: not self._app.rebalancing, REBALANCE_SECONDS)
        if not self._held:
            return False
        await self._publish(self.announced)
        return True

    async def _finish_in_background(self, work: Callable[[Outbox], Awaitable[None]]) -> None:
        outputs = self._app.outbox()
        await work(outputs)
        await self._publish(outputs)
        self._acknowledge()

    async def _publish(self, outbox: Outbox) -> dict[TopicPartition, tuple[int, int]]:
        if not outbox.records:
            return {}
        ends = await self._app.publisher.publish(outbox)
        metrics.published(self._component, outbox.records.items())
        return ends

    def _acknowledge(self) -> None:
        records = self._event.value
        self._event.ack()
        metrics.finished(self._component, records)
        if self._app.touchpoint_tracer is not None:
            self._app.touchpoint_tracer.finished(self._component, records, self._began)

    @property
    def _held(self) -> bool:
        return self._table.holds(self.partition, self.state)

    def _record_own_writes(self, ends: dict[TopicPartition, tuple[int, int]]) -> None:
        """Tell the table which offsets of its changelog are this worker's own writes."""
        if self._changelog in ends:
            if self._fence is not None:
                self._fence.note(self.partition, *ends[self._changelog])
            self._table.record_own_writes(self.partition, self.state, *ends[self._changelog])
