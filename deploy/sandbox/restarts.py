"""When to start a process again that died: after growing pauses, and at once again after it ran well."""

from dataclasses import dataclass, replace
from typing import Final

FIRST_PAUSE: Final = 1.0  #: seconds; doubled with every death in a row
LONGEST_PAUSE: Final = 30.0
HEALTHY_SECONDS: Final = 60.0  #: a life this long ends the row


@dataclass(frozen=True)
class Restarts:
    """The deaths of one process. Times are seconds on a monotonic clock."""

    started: float
    deaths: int = 0  #: in a row
    total: int = 0  #: times that it was started again
    again_at: float | None = None  #: when to start it again; None while it runs

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
