"""The fetch transaction: the one order in which everything that a partition fetch causes takes effect.

1. Outputs are published, with them the write-ahead records; the broker has acknowledged both.
2. Announced outputs are published: those that a write-ahead record announces.
3. The changelog is written and acknowledged by the broker.
4. Late work runs beside the agent, if there is any, and its outputs are published.
5. The fetch is acknowledged, so its offset may be committed.

A crash between two steps repeats the fetch. Outputs come before the changelog, so recovered state never hides an output
that did not get out. Every output is idempotent, so a repeated one changes nothing. docs/delivery.md says what follows.
"""

from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from schemas import topics
from streams.runtime.publisher import Headers, Outbox, Place
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState, PartitionState

if TYPE_CHECKING:
    from streams.runtime.app import WorkerApp

S = TypeVar("S", bound=PartitionState)
#: A changelog record: key, and value or None for a tombstone.
Change: TypeAlias = tuple[bytes, bytes | None]


class _DeadLetterGuard:
    """One object serves all records of a fetch: a generator-based context manager would cost a microsecond each."""

    __slots__ = ("_set_aside", "record")

    def __init__(self, set_aside: Callable[[Any, Exception], None]) -> None:
        self._set_aside = set_aside
        self.record: Any = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._set_aside(self.record, error)
        return True


class FetchTransaction(Generic[S]):
    """What one fetch, or one run of a timer, causes on one partition; an async context manager that commits it.

    The body of the `async with` changes `state`, which is in memory, and adds records here. Leaving the body runs the
    five steps above. An exception in the body or in a step leaves the fetch unacknowledged and stops the worker.
    """

    def __init__(
        self, app: "WorkerApp", table: ChangelogState[S], partition: int, component: str, event: Any = None
    ) -> None:
        """`component` is named in dead letters. `event` is the Faust event of the fetch; a timer has none."""
        self.partition = partition
        self.state = table.of(partition)
        self.outputs = app.outbox()
        self.announced = app.outbox()  #: published only after `ahead` is in the changelog
        self.ahead: list[Change] = []
        self.changes = app.outbox()
        self._deferred: list[Callable[[], Iterable[Change]]] = []
        self._late: Callable[[Outbox], Awaitable[None]] | None = None
        self._app = app
        self._table = table
        self._component = component
        self._event = event
        self._guard = _DeadLetterGuard(self._set_aside)

    def publish(self, topic: str, key: bytes, value: bytes | None, headers: Headers | None = None) -> None:
        """Add an output, on the partition that its key decides; a value of None is a tombstone."""
        self.outputs.add(topic, key, value, headers)

    def write(self, key: bytes, value: bytes | None) -> None:
        """Add a changelog record; a value of None deletes its key."""
        self.changes.add_at(self._changelog, key, value)

    def write_after_outputs(self, changes: Callable[[], Iterable[Change]]) -> None:
        """Add changelog records that are known only once the outputs are out: `changes` is called then."""
        self._deferred.append(changes)

    def finish_late(self, work: Callable[[Outbox], Awaitable[None]]) -> None:
        """Let `work` add further outputs beside the agent, which takes its next fetch; acknowledge after that."""
        self._late = work

    def dead_letter(self, record: Any) -> "_DeadLetterGuard":
        """Turn whatever the body of the `with` raises about a record into its dead letter; the next record is served.

        Raises again what is not the record's: memory, the system, a TouchlineError that is no ContractError.
        """
        self._guard.record = record
        return self._guard

    def _set_aside(self, record: Any, error: Exception) -> None:
        letter = dead_letter(record, error, self._component)
        self.publish(self._app.settings.topic(topics.DEAD_LETTERS.name), record.key or b"", letter)

    async def __aenter__(self) -> "FetchTransaction[S]":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._commit()

    async def _commit(self) -> None:
        if not await self._publish_outputs():
            return
        for changes in self._deferred:
            for key, value in changes():
                self.write(key, value)
        self._written(await self._app.publisher.publish(self.changes))
        if self._late is not None:
            await self._app.meanwhile(self._finish(self._late))
        elif self._event is not None:
            self._event.ack()

    async def _publish_outputs(self) -> bool:
        """Steps 1 and 2. False if a rebalance took the partition between them.

        Its new owner may have read the changelog before the write-ahead records were in it. It would not know what to
        retract, so nothing that they announce may go out.
        """
        if not self.ahead:
            self.outputs.add_all(self.announced)
            await self._app.publisher.publish(self.outputs)
            return True
        for key, value in self.ahead:
            self.outputs.add_at(self._changelog, key, value)
        self._written(await self._app.publisher.publish(self.outputs))
        if not self._table.holds(self.partition, self.state):
            return False
        await self._app.publisher.publish(self.announced)
        return True

    async def _finish(self, work: Callable[[Outbox], Awaitable[None]]) -> None:
        outputs = self._app.outbox()
        await work(outputs)
        await self._app.publisher.publish(outputs)
        self._event.ack()

    @property
    def _changelog(self) -> Place:
        return self._table.topic_name, self.partition

    def _written(self, ends: dict[Place, tuple[int, int]]) -> None:
        """Tell the table which offsets of its changelog are this worker's own writes."""
        if self._changelog in ends:
            self._table.written(self.partition, self.state, *ends[self._changelog])
