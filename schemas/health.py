"""Whether a process lives and is ready, asked from another thread than the one that works."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from schemas.measures import histogram
from schemas.metrics import process as metrics

LOOP_LATE: Final = histogram(metrics.LOOP_LATE)
BEAT_SECONDS: Final = 1.0
#: An event loop that has not turned for so long will not turn again by itself.
STUCK_SECONDS: Final = 30.0


class Heartbeat:
    """Beats as long as an event loop turns. `late` is told how many seconds late each beat was."""

    def __init__(
        self, late: Callable[[float], object] = LOOP_LATE.observe, clock: Callable[[], float] = monotonic
    ) -> None:
        self._late = late
        self._clock = clock
        self._beat_at = clock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that it beats in; None before `start`."""
        return self._loop

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beat in a loop that turns, or is about to. It ends with the loop."""
        self._loop = loop
        self._beat_at = self._clock()
        loop.call_later(BEAT_SECONDS, self._beat)

    def age(self) -> float:
        """Seconds since the last beat was due."""
        return max(0.0, self._clock() - self._beat_at - (BEAT_SECONDS if self._loop else 0.0))

    def _beat(self) -> None:
        assert self._loop is not None
        self._late(self.age())
        self._beat_at = self._clock()
        self._loop.call_later(BEAT_SECONDS, self._beat)


class Health:
    """The health of one process. `waits_for` says in a sentence why a process that lives is not ready; "" if it is.

    `core` is the worker's. `refresh` brings the gauges up to date; it is called in the event loop before they are read.
    """

    def __init__(
        self,
        process: str,
        heartbeat: Heartbeat,
        waits_for: Callable[[], str],
        refresh: Callable[[], None] = lambda: None,
        core: str = "",
    ) -> None:
        self.process = process
        self.core = core
        self.heartbeat = heartbeat
        self.refresh = refresh
        self._waits_for = waits_for

    def dead(self) -> str:
        """Why the process must be started again, in a sentence; "" while it lives."""
        age = self.heartbeat.age()
        if age <= STUCK_SECONDS:
            return ""
        return (
            f"the event loop has not turned for {age:.0f} s: start the {self.process} again, nothing is lost"
        )

    def unready(self) -> str:
        """Why the process does not do its work now, in a sentence; "" if it does."""
        return self.dead() or self._waits_for()
