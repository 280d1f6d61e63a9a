"""Cooperative scheduling of long computations: they yield to the event loop, so the other agents stay responsive."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import Final, TypeVar

R = TypeVar("R")

#: Seconds that a computation may occupy the event loop before it yields.
TIME_SLICE_SECONDS: Final = 0.02


def seconds() -> float:
    """A clock for durations."""
    return perf_counter()


class CooperativeScheduler:
    """Runs the long computations of one agent in time slices.

    A computation may yield half done. The agent must not read the state that the computation changes until it ends.
    """

    def __init__(self) -> None:
        self._slice_ends_at = 0.0

    async def yield_if_due(self) -> None:
        """Yield to the event loop once the time slice is used up, and begin a new one."""
        if perf_counter() >= self._slice_ends_at:
            await asyncio.sleep(0)
            self._slice_ends_at = perf_counter() + TIME_SLICE_SECONDS

    async def run(self, computation: Generator[None, None, R]) -> R:
        """Run a resumable computation to its end and return its result. It may lose the event loop at each `yield`."""
        while True:
            try:
                next(computation)
            except StopIteration as end:
                result: R = end.value
                return result
            await self.yield_if_due()

    async def run_until(self, computation: Generator[None, None, R], ends_at: float) -> tuple[R] | None:
        """Run a resumable computation, as `run` does, to its end or to this time of `seconds`.

        Returns its result in a tuple; None if it is not at its end.
        """
        while True:
            try:
                next(computation)
            except StopIteration as end:
                return (end.value,)
            if seconds() >= ends_at:
                return None
            await self.yield_if_due()
