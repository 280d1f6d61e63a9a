"""Signals: what a service may act on now, with ids that depend only on what they are about."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from schemas.events import event_id_of
from streams.identity.profile_id import uuid5_text
from streams.journeys.rules import JourneyRules

#: Namespace of signal ids: UUIDv5 of the DNS namespace and "signals.touchline".
NAMESPACE: Final = UUID("2cfe3f78-feb2-5635-a689-3da7a1e90c51")
_NAMESPACE_BYTES: Final = NAMESPACE.bytes

#: Moments that one journey remembers; the oldest is let go (and so retracted) beyond that.
MAX_MOMENTS: Final = 50
#: Touchpoints that a signal names as its cause.
MAX_CAUSES: Final = 5


@dataclass(frozen=True, slots=True)
class Signal:
    """One reason to act; the fields of JourneySignal that do not depend on who publishes it."""

    kind: str
    signal_id: str
    occurred_at: int  #: event time at which it became true, UTC ms; for a missed deadline: the deadline
    rule: str  #: in words
    event_ids: tuple[str, ...]  #: the touchpoints that caused it
    details: dict[str, str]

    def order(self) -> tuple[int, str, str]:
        """Sort key: by time, then by kind and id."""
        return (self.occurred_at, self.kind, self.signal_id)

    def dump(self) -> dict[str, Any]:
        """As FrozenSummary.avsc holds it."""
        return {
            "kind": self.kind, "signal_id": self.signal_id, "occurred_at": self.occurred_at, "rule": self.rule,
            "event_ids": list(self.event_ids), "details": self.details,
        }  # fmt: skip

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Signal":
        """Back from `dump`."""
        return cls(**(record | {"event_ids": tuple(record["event_ids"])}))


def signal_id(tenant: str, kind: str, about: str) -> str:
    """UUIDv5 of the kind and the event (`event_key`) it is about: the same whichever profile holds that."""
    return uuid5_text(_NAMESPACE_BYTES, f"{tenant}/{kind}/{about}")


class SignalBook:
    """Makes the signals of one journey, and remembers those that became true at one moment and stay so."""

    __slots__ = ("_moments", "_rules", "tenant")

    def __init__(self, rules: JourneyRules) -> None:
        self._rules = rules
        self._moments: list[Signal] = []
        self.tenant = ""

    def make(
        self, kind: str, at: int, events: tuple[str, ...], details: dict[str, str], about: str = ""
    ) -> Signal:
        """A signal about the event `about`, by default the last of those that caused it; events are event keys."""
        about = about or events[-1]
        # a frozen expectation may belong to a rule that is no more
        rule = self._rules.words.get(kind, kind)
        return Signal(
            kind, signal_id(self.tenant, kind, about), at, rule, tuple(map(event_id_of, events)), details
        )

    def remember(self, kind: str, at: int, events: tuple[str, ...], details: dict[str, str]) -> None:
        """Make and keep a signal that no later touchpoint can make untrue."""
        self.keep(self.make(kind, at, events, details))

    def keep(self, signal: Signal) -> None:
        """Keep a signal that is already made."""
        self._moments.append(signal)
        if len(self._moments) > MAX_MOMENTS:
            del self._moments[0]

    def moments(self) -> list[Signal]:
        """The remembered ones, oldest first."""
        return list(self._moments)

    def dump(self) -> list[dict[str, Any]]:
        """The moments as FrozenSummary.avsc holds them."""
        return [signal.dump() for signal in self._moments]

    def load(self, moments: list[dict[str, Any]]) -> None:
        """Back from `dump`."""
        self._moments.extend(Signal.load(record) for record in moments)

    def absorb(self, other: "SignalBook") -> None:
        """Take the moments of another identifier's summary."""
        both = {signal.signal_id: signal for signal in (*self._moments, *other._moments)}
        self._moments = sorted(both.values(), key=Signal.order)[-MAX_MOMENTS:]
