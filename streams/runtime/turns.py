"""Long work in turns: the event loop serves the other agents in between, so it delays nobody else."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import Final, TypeVar

R = TypeVar("R")

TURN_SECONDS: Final = 0.02


class Turns:
    """One agent's turns. What it is working on nobody else may look at: a turn may end in the middle."""

    def __init__(self) -> None:
        self._ends_at = 0.0

    async def rest(self) -> None:
        """Let others have a turn if this one has been long enough."""
        if perf_counter() >= self._ends_at:
            await asyncio.sleep(0)
            self._ends_at = perf_counter() + TURN_SECONDS

    async def do(self, work: Generator[None, None, R]) -> R:
        """The result of work that says where it can rest."""
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: R = end.value
                return result
            await self.rest()
