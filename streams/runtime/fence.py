"""Keeps a worker that was stopped past its session (a zombie) from raising signals that nobody would retract.

The order of a partition's changelog decides, whatever clocks and the group say:

- The first act of an owner, before anything that it publishes, is to write a *claim* to the changelog. It knows every
  record before its claim: from recovery, or because it reads here what came in between.
- A worker announces signals only if no other claim lies between its own claim and its write-ahead record. The offsets
  that the broker acknowledged tell that: as long as they follow each other, nobody else has written.

So either the write-ahead record comes before the next owner's claim, and that owner knows from its first publication
on which signals are perhaps raised; or it comes after it, and the signals stay unsaid.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import uuid4

from schemas.errors import UnavailableError
from streams.runtime.state import ChangelogState, PartitionState

if TYPE_CHECKING:
    from streams.runtime.app import WorkerApp

S = TypeVar("S", bound=PartitionState)
#: How long a worker waits for the group to say that its partition has another owner.
GROUP_SECONDS: Final = 30.0

log: Final = logging.getLogger("touchline.worker")


class Fence(Generic[S]):
    """The claims of one worker to the partitions of one changelog."""

    def __init__(
        self,
        app: "WorkerApp",
        table: ChangelogState[S],
        claim: Callable[[bytes], bytes],
        is_claim: Callable[[bytes], bool],
        correct: Callable[[S, bytes, bytes | None], Iterable[tuple[bytes, bytes | None]]],
    ) -> None:
        """`claim` makes the key of a claim of a claimant, `is_claim` recognises anybody's.

        `correct` takes note of a record that another worker wrote and returns the changes that the changelog needs.
        """
        self._app = app
        self._table = table
        self._claim = claim
        self._is_claim = is_claim
        self._correct = correct
        self._claimed: dict[int, S] = {}
        #: by partition, the offset up to which no other worker's claim follows this worker's
        self._clear: dict[int, int] = {}

    async def claim(self, partition: int, state: S) -> list[tuple[bytes, bytes | None]]:
        """Claim a partition, unless that is done. Returns the changes that correct what others wrote before the claim.

        A worker that lost the partition meanwhile waits until the group says so; then `state` is no longer held.

        Raises UnavailableError if the broker does not answer, or if another worker claimed a partition that the group
        gives to this one: the worker starts anew.
        """
        if self._claimed.get(partition) is state:
            return []
        if self._restoring:
            # an agent that was stopped may come here before the state knows the claims that it is to restore: they
            # would look like those of a worker that took over
            await self._app.wait_until(lambda: not self._restoring, GROUP_SECONDS)
        if not self._table.holds(partition, state):
            return []
        place = self._table.topic_name, partition
        outbox = self._app.outbox()
        outbox.add_at(place, self._claim(uuid4().hex.encode()), None)
        first, last = (await self._app.publisher.publish(outbox))[place]
        known = self._table.last_known(partition)
        changes: list[tuple[bytes, bytes | None]] = []
        if first != known + 1:
            between = await self._between(partition, known, first)
            if any(self._is_claim(record.key) for record in between):
                await self._leave(partition, state)
                return []
            for record in between:
                changes += self._correct(state, record.key, record.value)
        if self._table.holds(partition, state):
            self._table.record_foreign_writes(partition, state, last)
            self._claimed[partition], self._clear[partition] = state, last
        return changes

    async def may_announce(self, partition: int, state: S, first: int, last: int) -> bool:
        """Whether nobody else claimed the partition before this worker wrote at the offsets from `first` to `last`.

        Raises UnavailableError as `claim` does.
        """
        clear = self._clear.get(partition, -1)
        if first != clear + 1:
            between = await self._between(partition, clear, first)
            # compaction may have removed a claim: nobody knows what else was there
            complete = len(between) == first - clear - 1
            if not complete or any(self._is_claim(record.key) for record in between):
                await self._leave(partition, state)
                return False
        self._clear[partition] = last
        return True

    def note(self, partition: int, first: int, last: int) -> None:
        """Note that this worker wrote at these offsets: if they follow its last ones, nobody else has written."""
        if self._clear.get(partition) == first - 1:
            self._clear[partition] = last

    @property
    def _restoring(self) -> bool:
        return bool(self._app.rebalancing or self._app.in_recovery)

    async def _between(self, partition: int, known: int, first: int) -> list[Any]:
        """The records after offset `known` and before offset `first`."""
        records = await self._app.log_reader.read(self._table.topic_name, partition, known + 1)
        if records is None:
            raise UnavailableError(
                f"Kafka does not give out partition {partition} of {self._table.topic_name}:"
                " check that the broker is healthy"
            )
        return [record for record in records if record.offset < first]

    async def _leave(self, partition: int, state: S) -> None:
        log.warning(
            "another worker took over partition %d of %s while this one stood still: nothing more is raised here",
            partition, self._table.topic_name,
        )  # fmt: skip
        await self._app.wait_until(lambda: not self._table.holds(partition, state), GROUP_SECONDS)
        if self._table.holds(partition, state):
            raise UnavailableError(
                f"another worker claimed partition {partition} of {self._table.topic_name},"
                " which the consumer group gives to this one: this worker has to start anew"
            )
