"""What a control takes out of a worker: one protection each, which its docstring names."""

import os
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError

import streams.runtime.app
import streams.runtime.fetches
from schemas import topics
from schemas.records import IdentityAssignment, ResolvedTouchpoint
from streams.identity.resolution.ownership import node_of
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from streams.runtime.fence import Fence
from streams.runtime.offset_tracker import OffsetTracker
from streams.runtime.publisher import Publisher
from streams.stitch.stitching import StitchState
from tests.faults.aims import Aims
from tests.faults.worker_variants import derive_consumer


def acks_first(_: Aims) -> None:
    """Without: acknowledging after the effects."""

    def make(base: Any) -> Any:
        class DoneAtOnce(base):  # type: ignore[misc]
            def _to_fetch(self, tp: Any, records: list[Any], generation: int) -> Any:
                message = super()._to_fetch(tp, records, generation)
                message.fetch.done = True
                self._acked[tp]
                return message

        return DoneAtOnce

    derive_consumer(make)


def commits_past_gaps(_: Aims) -> None:
    """Without: committing no further than the first fetch that is not done."""

    class PastGaps(OffsetTracker[Any]):
        def pop_committable(self, partition: Any) -> int | None:
            fetches = self._fetches.get(partition)
            ends = [fetch.last_offset + 1 for fetch in fetches or () if fetch.done]
            while ends and fetches and fetches[0].last_offset < max(ends):
                fetches.popleft()
            return max(ends, default=None)

    streams.runtime.fetches.OffsetTracker = PastGaps  # type: ignore[misc]


def leaves_without_commit(_: Aims) -> None:
    """Without: a commit before partitions are given up. Needs notes_rebalances."""

    def make(base: Any) -> Any:
        class Leaving(base):  # type: ignore[misc]
            async def commit(self, *args: Any, **more: Any) -> bool:
                return not self.leaving and bool(await super().commit(*args, **more))

        return Leaving

    derive_consumer(make)


def writes_nothing_ahead(_: Aims) -> None:
    """Without: the write-ahead of signals."""
    SignalWriteAhead.ahead = lambda _: []  # type: ignore[method-assign]


def unfenced(_: Aims) -> None:
    """Without: looking for another worker's claim before an announcement."""

    async def may_announce(*_: Any) -> bool:
        return True

    Fence.may_announce = may_announce  # type: ignore[method-assign, assignment]


def goes_on_after_a_refusal(_: Aims) -> None:
    """Without: a stop once the broker refuses an input of journeys."""

    class Lenient(Publisher):
        async def _send(self, tp: Any, pending: list[Any]) -> None:
            if not tp[0].endswith(topics.JOURNEY_INPUTS.name):
                await super()._send(tp, pending)
                return
            with suppress(KafkaError):
                await super()._send(tp, pending)
            for one in pending:
                if not one.done.done():
                    one.done.set_result((0, 0))

    streams.runtime.app.Publisher = Lenient  # type: ignore[misc]


def not_idempotent(_: Aims) -> None:
    """Without: the idempotent producer."""
    os.environ["TOUCHLINE_IDEMPOTENT_PRODUCER"] = "0"


def takes_any_assignment(_: Aims) -> None:
    """Without: the versions of assignments. Of two, the one that comes later counts."""
    os.environ["TOUCHLINE_CORE"] = "python"
    assign, accept = StitchState.assign, Timeline.accept

    def assign_any(self: StitchState, key: bytes, assignment: IdentityAssignment) -> bool:
        self.unassign(key)
        return assign(self, key, assignment)

    def accept_any(self: Timeline, resolved: ResolvedTouchpoint, value: bytes, effects: Effects) -> None:
        self.pointers.pop(node_of(resolved["identifier"]), None)
        accept(self, resolved, value, effects)

    StitchState.assign = assign_any  # type: ignore[method-assign]
    Timeline.accept = accept_any  # type: ignore[method-assign]
