"""What a variant puts into a worker: weaknesses, which fail at a moment that a trial aims at. Protections stay.

Each change derives a class from the one that the worker
uses, and lets the worker use that one.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import chain
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator

import streams.accounts.agent
import streams.identity.agent
import streams.journeys.agent
import streams.stitch.agent
from schemas import topics
from schemas.encoding.record_types import JOURNEY_SIGNAL
from streams.runtime.fetches import FetchTransport
from streams.runtime.transaction import FetchTransaction
from streams.stitch.stitching import StitchState
from tests.faults.aims import Aims, die

#: Of the events of people whose carts must not be abandoned in the end.
CART = "cart-"
LOOK_SECONDS = 0.01
AGENTS: tuple[Any, ...] = (
    streams.accounts.agent, streams.identity.agent, streams.journeys.agent, streams.stitch.agent
)  # fmt: skip
NO_ERROR = (None, None, None)


class Observed(FetchTransaction[Any]):
    """A transaction that knows at which moment it is."""

    def of_touchpoints(self) -> bool:
        """Whether it is a fetch of touchpoints from which something follows."""
        return (
            isinstance(self.state, StitchState)
            and self._event is not None
            and self._event.message.topic.endswith(topics.TOUCHPOINTS.name)
            and bool(self.outputs.records or self._background)
        )

    async def commit_now(self) -> None:
        """What the commit interval does: everything that counts as done is committed."""
        # the first one may only have waited for a commit that was under way
        for _ in range(2):
            await self._app.consumer.commit()

    def carts(self) -> Iterator[dict[str, Any]]:
        """The signals that it is about to raise: of the carts that must not be abandoned in the end."""
        for _, value, _ in chain(*self.announced.records.values()):
            record: Any = JOURNEY_SIGNAL.decode(value)
            about = record["event_ids"][0].startswith(CART)
            if about and record["kind"] == "abandoned_cart" and record["status"] == "RAISED":
                yield record


def derive_transactions(make: Callable[[Any], Any]) -> None:
    """Let all agents use the class that `make` derives."""
    used = AGENTS[0].FetchTransaction
    made = make(used if issubclass(used, Observed) else Observed)
    for agent in AGENTS:
        agent.FetchTransaction = made


def derive_consumer(make: Callable[[Any], Any]) -> None:
    """Let the worker use the consumer that `make` derives."""
    FetchTransport.Consumer = make(FetchTransport.Consumer)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; others go on, and bring it about."""
    while not condition():  # noqa: ASYNC110 (the condition has no event)
        await asyncio.sleep(LOOK_SECONDS)


def dies_before_effects(aims: Aims) -> None:
    """With: kill -9 between a fetch of touchpoints and its first output, right after a commit."""

    def make(base: Any) -> Any:
        class Dying(base):  # type: ignore[misc]
            async def __aexit__(self, *error: Any) -> None:
                if error == NO_ERROR and self.of_touchpoints() and aims.taken("before-effects"):
                    await self.commit_now()
                    aims.note("before-effects", records=len(self._event.value))
                    die()
                await super().__aexit__(*error)

        return Dying

    derive_transactions(make)


def dies_before_changelog(aims: Aims) -> None:
    """With: kill -9 between the signals of abandoned carts and the changelog."""

    def make(base: Any) -> Any:
        class Dying(base):  # type: ignore[misc]
            async def _publish_outputs(self) -> bool:
                carts = len(list(self.carts()))
                published = bool(await super()._publish_outputs())
                if published and carts and aims.taken("before-changelog"):
                    aims.note("before-changelog", signals=carts)
                    die()
                return published

        return Dying

    derive_transactions(make)


def dies_with_a_gap(aims: Aims) -> None:
    """With: kill -9 while newcomers' touchpoints wait in the background and a later fetch is done, after a commit."""
    done: dict[Any, int] = {}

    def make(base: Any) -> Any:
        class Dying(base):  # type: ignore[misc]
            async def _finish_in_background(self, work: Any) -> None:
                if isinstance(self.state, StitchState) and aims.taken("gap"):
                    message = self._event.message
                    await until(lambda: done.get(message.tp, -1) > message.offset)
                    await self.commit_now()
                    aims.note("gap", later=done[message.tp] - message.offset)
                    die()
                await super()._finish_in_background(work)

            def _acknowledge(self) -> None:
                super()._acknowledge()
                if isinstance(self.state, StitchState):
                    message = self._event.message
                    done[message.tp] = max(message.offset, done.get(message.tp, -1))

        return Dying

    derive_transactions(make)


def notes_rebalances(aims: Aims) -> None:
    """With: fetches of touchpoints are held while `hold` lasts, and commits by the clock while `no-commits` lasts.

    It notes what is done and not committed when partitions are given up, and where each reader begins.
    """

    def make_transaction(base: Any) -> Any:
        class Held(base):  # type: ignore[misc]
            async def __aexit__(self, *error: Any) -> None:
                if error == NO_ERROR and self.of_touchpoints() and aims.lasts("hold"):
                    aims.note("held", partition=self.partition)
                    await until(lambda: not aims.lasts("hold"))
                await super().__aexit__(*error)

        return Held

    def make_consumer(base: Any) -> Any:
        class Noting(base):  # type: ignore[misc]
            leaving = False  #: whether partitions are being given up

            async def commit(self, *args: Any, **more: Any) -> bool:
                if aims.lasts("no-commits") and not self.leaving:
                    return False
                return bool(await super().commit(*args, **more))

            def _note_done(self) -> None:
                tracker = deepcopy(self._offset_tracker)  # looking takes away
                for tp in list(self._acked):  # a consumer that stops has no assignment any more
                    end = tracker.pop_committable(tp)
                    if end is not None:
                        aims.note("given-up", place=list(tp), end=end)

            async def on_partitions_revoked(self, revoked: Any) -> None:
                self._note_done()
                self.leaving = True
                await super().on_partitions_revoked(revoked)
                self.leaving = False

            async def on_stop(self) -> None:
                self._note_done()
                self.leaving = True
                await super().on_stop()

            async def perform_seek(self) -> None:
                await super().perform_seek()
                for tp in self.assignment():
                    if not self._is_changelog_tp(tp):
                        aims.note("begins", place=list(tp), begin=self.committed_offset(tp))

        return Noting

    derive_transactions(make_transaction)
    derive_consumer(make_consumer)


def stops_before_it_raises(aims: Aims) -> None:
    """With: SIGSTOP between a cart's deadline and the write-ahead record of its signal, and kill -9 after that run.

    It would retract the signal itself once it reads on. While `deaf` lasts, its group tells it nothing after SIGCONT.
    """
    heartbeat = GroupCoordinator._do_heartbeat
    stopped = False

    def make(base: Any) -> Any:
        class Stopped(base):  # type: ignore[misc]
            async def __aexit__(self, *error: Any) -> None:
                nonlocal stopped
                late = any(self.carts()) and aims.taken("stop")
                if late:
                    stopped = True
                    os.kill(os.getpid(), signal.SIGSTOP)
                self._late = late
                await super().__aexit__(*error)
                if late:
                    die()

            async def _publish(self, outbox: Any) -> Any:
                ends = await super()._publish(outbox)
                if outbox is self.outputs and self._late:
                    aims.note("stop", written_ahead=len(self.write_ahead))
                return ends

        return Stopped

    async def deaf(self: GroupCoordinator) -> bool:
        if stopped:
            await until(lambda: not aims.lasts("deaf"))
        return bool(await heartbeat(self))

    GroupCoordinator._do_heartbeat = deaf
    derive_transactions(make)


def stops_before_assignments(aims: Aims) -> None:
    """With: SIGSTOP between a decision about identifiers and its assignments, which go out on SIGCONT."""

    def make(base: Any) -> Any:
        class Stopped(base):  # type: ignore[misc]
            async def __aexit__(self, *error: Any) -> None:
                decides = any(
                    topic.endswith(topics.IDENTITY_ASSIGNMENTS.name) for topic, _ in self.outputs.records
                )
                if not (error == NO_ERROR and decides and aims.taken("assignments")):
                    await super().__aexit__(*error)
                    return
                os.kill(os.getpid(), signal.SIGSTOP)
                try:
                    await super().__aexit__(*error)
                finally:
                    aims.note("assignments", outputs=sum(map(len, self.outputs.records.values())))

        return Stopped

    derive_transactions(make)
