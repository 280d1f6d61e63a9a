"""Friction: what went wrong lately, and its spikes."""

from typing import Any, Final

from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import SignalBook
from streams.journeys.state.values.decay import DecayedSum
from streams.journeys.state.values.stamps import Stamp

#: Touchpoints that a `friction_spike` signal names as its causes: the newest ones with friction.
FRICTION_CAUSES: Final = 5


class Friction:
    """The decayed friction of one journey, and the newest touchpoints that added to it."""

    __slots__ = ("_book", "_causes", "_spike", "_sum")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._book = book
        self._spike = rules.friction_spike
        self._sum = DecayedSum(rules.friction_half_life_ms)
        self._causes: tuple[Stamp, ...] = ()

    def add(self, friction: float, at: int, event: str) -> None:
        """Add the friction of the next touchpoint, at `at` (UTC ms). Raises `friction_spike` when it gets that high."""
        before, after = self._sum.add(friction, at)
        self._causes = (*self._causes[1 - FRICTION_CAUSES :], (at, event))
        if before < self._spike <= after:
            causes = tuple(cause for _, cause in self._causes)
            self._book.remember("friction_spike", at, causes, {"friction": f"{after:.2f}"})

    def value(self, at: int) -> float:
        """The friction as of a time (UTC ms)."""
        return self._sum.value(at)

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {
            "friction": self._sum.dump(),
            "friction_causes": [{"at": at, "event_id": cause, "value": ""} for at, cause in self._causes],
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._sum.load(record["friction"])
        self._causes = tuple((item["at"], item["event_id"]) for item in record["friction_causes"])

    def absorb(self, other: "Friction") -> None:
        """Add another identifier's friction."""
        self._sum.absorb(other._sum)
        self._causes = tuple(sorted((*self._causes, *other._causes))[-FRICTION_CAUSES:])
