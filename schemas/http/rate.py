"""A limit on the events that one write key sends: a token bucket."""

from math import ceil
from typing import Final

#: Seconds of its rate that a key may send at once.
BURST_SECONDS: Final = 10.0


class TokenBucket:
    """Events per second, with a burst of ten seconds' worth.

    A request is let in while a token is left and pays for all of its events, so that a batch larger than the burst is
    taken and paid off afterwards: refusing it would refuse it for ever.
    """

    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._tokens = per_second * BURST_SECONDS
        self._at = now

    def take(self, events: int, now: float) -> int:
        """Take the tokens of `events` and return 0, or take none and return after how many seconds to try again."""
        self._tokens = min(
            self._per_second * BURST_SECONDS, self._tokens + (now - self._at) * self._per_second
        )
        self._at = now
        if self._tokens <= 0:
            return max(1, ceil(-self._tokens / self._per_second))
        self._tokens -= events
        return 0
