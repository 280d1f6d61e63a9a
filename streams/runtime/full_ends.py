"""The ends of partitions whose queue is full. An answer to a fetch would tell them, but none is asked for meanwhile."""

import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final

from faust.types import TP

#: How often the broker is asked.
ASK_SECONDS: Final = 1.0


class FullEnds:
    """Asks the broker in the background (`run`) how far full partitions go (`ask`). `clock` gives seconds."""

    def __init__(
        self,
        ask: Callable[[Collection[TP]], Awaitable[Mapping[TP, int]]],
        run: Callable[[Coroutine[Any, Any, None]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._run = run
        self._clock = clock
        self._ends: dict[TP, int] = {}
        self._asked = float("-inf")
        self._waits = False

    def look(self, full: Collection[TP]) -> None:
        """Forget what is full no more, and ask about what is, unless that was done just now or is under way."""
        self._ends = {tp: end for tp, end in self._ends.items() if tp in full}
        if full and not self._waits and self._clock() - self._asked >= ASK_SECONDS:
            self._asked, self._waits = self._clock(), True
            self._run(self._learn(full))

    def end(self, tp: TP) -> int:
        """The offset behind a full partition's last record, as the broker last said; 0 for any other."""
        return self._ends.get(tp, 0)

    async def _learn(self, full: Collection[TP]) -> None:
        try:
            with suppress(Exception):  # a gauge that is old stops no worker; the next look asks again
                self._ends |= await self._ask(full)
        finally:
            self._waits = False
