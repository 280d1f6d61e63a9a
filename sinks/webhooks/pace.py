"""When to try, and when to leave a receiver alone: backoff of a message, circuit breaker of an endpoint."""

from dataclasses import dataclass, field
from typing import Final

from sinks.webhooks.endpoints import DAY_MS, SECOND_MS, Retries
from sinks.webhooks.verdicts import Reason, Verdict

#: A receiver may ask for no longer pause than this: it may have mistaken the unit.
LONGEST_PAUSE_MS: Final = DAY_MS
#: Failures in a row that open the circuit, and for how long: doubled with each failed probe.
FAILURES: Final = 5
FIRST_OPEN_MS: Final = 5 * SECOND_MS
LONGEST_OPEN_MS: Final = 300 * SECOND_MS


def delay(retries: Retries, attempts: int, chance: float) -> int:
    """Milliseconds until the next attempt after `attempts` failed ones. `chance`: 0 to 1."""
    longest = retries.first_ms * 2 ** min(attempts - 1, 40)
    return max(1, int(min(longest, retries.longest_ms) * (0.5 + 0.5 * chance)))


@dataclass
class Breaker:
    """The circuit of one endpoint. Closed, all messages pass; open, none; half open, one probe at a time.

    A refusal of a message (4xx) shows a receiver that works, so it counts as a success here.
    """

    failures: int = 0
    opened: int = 0  #: how often in a row
    open_until: int = 0  #: UTC ms
    stopped: bool = False  #: the receiver said 410: for as long as this process runs
    _probing: bool = field(default=False, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether the last word of the receiver was that it does not work."""
        return self.opened > 0

    def wait(self, now: int) -> int | None:
        """Until when nothing may be tried; None if something may. A probe under way keeps all others waiting."""
        if now < self.open_until:
            return self.open_until
        return now + FIRST_OPEN_MS if self.opened and self._probing else None

    def begin(self) -> None:
        """An attempt begins that `wait` allowed."""
        self._probing = self.opened > 0

    def abandon(self) -> None:
        """An attempt was cancelled: it says nothing of the receiver."""
        self._probing = False

    def finish(self, verdict: Verdict, now: int, chance: float) -> None:
        """An attempt has ended."""
        self._probing = False
        if verdict.retry_after_ms is not None:
            self.open_until = max(self.open_until, now + min(verdict.retry_after_ms, LONGEST_PAUSE_MS))
        if verdict.reason is Reason.GONE:
            self.stopped = True
        elif verdict.confirmed or verdict.final:
            self.failures = self.opened = 0
        else:
            self.failures += 1
            if self.failures >= FAILURES and now >= self.open_until:
                pause = min(FIRST_OPEN_MS * 2 ** min(self.opened, 20), LONGEST_OPEN_MS)
                self.open_until = now + int(pause * (0.5 + 0.5 * chance))
                self.opened += 1
