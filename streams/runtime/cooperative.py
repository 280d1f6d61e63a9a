"""Cooperative scheduling of long computations: they yield to the event loop, so the other agents stay responsive.

All computations of a worker share one time slice. Who has used it up waits until those have had a slice who wait
already, and the event loop turns between two slices. So a message that needs ten turns of the loop to get through waits
for ten slices, however many computations there are.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from time import perf_counter
from typing import Final, TypeVar

R = TypeVar("R")
T = TypeVar("T")

#: Seconds that a computation may occupy the event loop before it yields.
TIME_SLICE_SECONDS: Final = 0.01


def seconds() -> float:
    """A clock for durations."""
    return perf_counter()


class Turn:
    """A time in which an agent works until it commits. What it waits for the slices of others does not count."""

    def __init__(self, length: float) -> None:
        """`length` is in seconds."""
        self._ends_at = perf_counter() + length

    @property
    def over(self) -> bool:
        """Whether the time is used up."""
        return perf_counter() >= self._ends_at

    def extend(self, by: float) -> None:
        """Let it end so many seconds later."""
        self._ends_at += by


def one_slice(items: Iterator[T], most: int, clock: Callable[[], float]) -> Iterator[T]:
    """The first of the items: as many as a time slice of `clock` (seconds) has time for, `most` at most."""
    until = clock() + TIME_SLICE_SECONDS
    for item in islice(items, most):
        yield item
        if clock() >= until:
            return


class _Turns:
    """Who waits for a slice, first come first served: one is let on at each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.slice_ends_at = 0.0

    async def wait(self) -> None:
        """Wait for a new slice."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await asyncio.sleep(0)  # a scheduler of its own, such as a simulation's
        else:
            if loop is not self._loop:
                self._loop, self._waiting = loop, deque()
            turn = loop.create_future()
            self._waiting.append(turn)
            if len(self._waiting) == 1:
                loop.call_soon(self._let_on)
            await turn
        self.slice_ends_at = perf_counter() + TIME_SLICE_SECONDS

    def _let_on(self) -> None:
        turn = self._waiting.popleft()
        if not turn.done():  # else it was cancelled
            turn.set_result(None)
        if self._waiting and self._loop is not None:
            self._loop.call_soon(self._let_on)


_TURNS: Final = _Turns()


class CooperativeScheduler:
    """Runs the long computations of one agent in time slices.

    A computation may yield half done. The agent must not read the state that the computation changes until it ends.
    """

    async def yield_if_due(self, turn: Turn | None = None) -> None:
        """Yield to the event loop once the time slice is used up, and begin a new one. `turn` ends so much later."""
        now = perf_counter()
        if now >= _TURNS.slice_ends_at:
            await _TURNS.wait()
            if turn is not None:
                turn.extend(perf_counter() - now)

    async def run(self, computation: Generator[None, None, R]) -> R:
        """Run a resumable computation to its end and return its result. It may lose the event loop at each `yield`."""
        while True:
            try:
                next(computation)
            except StopIteration as end:
                result: R = end.value
                return result
            await self.yield_if_due()

    async def run_within(self, computation: Generator[None, None, R], turn: Turn) -> tuple[R] | None:
        """Run a resumable computation, as `run` does, to its end or until a turn is over.

        Returns its result in a tuple; None if it is not at its end.
        """
        while True:
            try:
                next(computation)
            except StopIteration as end:
                return (end.value,)
            if turn.over:
                return None
            await self.yield_if_due(turn)
