"""Exponential backoff between the restarts of a process that died; a long healthy run resets it."""

from dataclasses import dataclass, replace
from typing import Final

FIRST_PAUSE: Final = 1.0  #: seconds; doubled with every death in a row
LONGEST_PAUSE: Final = 30.0
HEALTHY_SECONDS: Final = 60.0  #: a run of at least this long resets the backoff


@dataclass(frozen=True)
class Restarts:
    """The deaths of one process. Times are seconds on a monotonic clock."""

    started: float
    deaths: int = 0  #: since the last healthy run
    total: int = 0  #: number of restarts
    again_at: float | None = None  #: when it is due to restart; None while it runs

    def died(self, now: float) -> "Restarts":
        """Note a death and when to start again."""
        row = 1 if now - self.started >= HEALTHY_SECONDS else self.deaths + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (row - 1))
        return replace(self, deaths=row, again_at=now + pause)

    def due(self, now: float) -> bool:
        """Whether it is time to start again."""
        return self.again_at is not None and now >= self.again_at

    def restarted(self, now: float) -> "Restarts":
        """Note that it was started again."""
        return replace(self, started=now, total=self.total + 1, again_at=None)
