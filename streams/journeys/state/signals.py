"""Signals: facts on which a service may act now. Their ids depend only on the profile and the subject."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from schemas.records import JourneySignal
from schemas.touchpoint.events import event_id_of
from streams.identity.resolution.profile_id import uuid5_text
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool

#: Namespace of signal ids: UUIDv5 of the DNS namespace and "signals.touchline".
NAMESPACE: Final = UUID("2cfe3f78-feb2-5635-a689-3da7a1e90c51")
_NAMESPACE_BYTES: Final = NAMESPACE.bytes

#: Moments that one journey remembers. Beyond that the oldest is evicted and retracted (LET_GO).
MAX_MOMENTS: Final = 50
#: Touchpoints that a signal names as its cause.
MAX_CAUSES: Final = 5


@dataclass(frozen=True, slots=True)
class Signal:
    """One fact to act on: the fields of JourneySignal that do not depend on the publishing profile."""

    kind: str
    subject_id: str  #: id of the subject, the same in every profile
    occurred_at: int  #: event time at which it became true, UTC ms; for a missed deadline: the deadline
    rule: str  #: in words
    event_ids: tuple[str, ...]  #: the touchpoints that caused it
    details: dict[str, str]
    event: str  #: event_key of the last cause

    def order(self) -> tuple[int, str, str]:
        """Sort key: by time, then by kind and id."""
        return (self.occurred_at, self.kind, self.subject_id)

    def dump(self) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {
            "kind": self.kind, "subject_id": self.subject_id, "occurred_at": self.occurred_at,
            "rule": self.rule, "event_ids": [*self.event_ids[:-1], self.event], "details": self.details,
        }  # fmt: skip

    @classmethod
    def load(cls, record: dict[str, Any]) -> "Signal":
        """Back from `dump`."""
        events = record["event_ids"]
        return cls(**(record | {"event_ids": tuple(map(event_id_of, events)), "event": events[-1]}))


def subject_id(tenant: str, kind: str, about: str) -> str:
    """The id of a subject: UUIDv5 of tenant, kind and `about`, an event_key. It does not depend on the profile."""
    return uuid5_text(_NAMESPACE_BYTES, f"{tenant}/{kind}/{about}")


def signal_id(profile_id: str, subject: str) -> str:
    """The id of one profile's signal: UUIDv5 of the profile and the subject."""
    return uuid5_text(_NAMESPACE_BYTES, f"{profile_id}/{subject}")


def raised(tenant: str, profile_id: str, signal: Signal, version: int) -> JourneySignal:
    """The RAISED record of a signal that holds."""
    return JourneySignal(
        tenant=tenant, profile_id=profile_id, signal_id=signal_id(profile_id, signal.subject_id),
        subject_id=signal.subject_id, kind=signal.kind, status="RAISED", reason=None, successor=None,
        occurred_at=signal.occurred_at, rule=signal.rule, event_ids=list(signal.event_ids),
        details=dict(signal.details), version=version,
    )  # fmt: skip


class SignalBook:
    """Makes the signals of one journey, and keeps its moments: signals that became true once and remain true."""

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
        # an expectation in a horizon summary may belong to a rule that was removed since
        rule = self._rules.words.get(kind, kind)
        subject, event_ids = subject_id(self.tenant, kind, about), tuple(map(event_id_of, events))
        return Signal(kind, subject, at, rule, event_ids, details, events[-1])

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

    def lets_go(self, signal: Signal) -> bool:
        """Whether MAX_MOMENTS newer moments evicted a signal."""
        return len(self._moments) == MAX_MOMENTS and signal.order() < self._moments[0].order()

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """The moments as FoldSummary.avsc holds them."""
        return {"moments": [signal.dump() for signal in self._moments]}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._moments.extend(Signal.load(item) for item in record["moments"])

    def absorb(self, other: "SignalBook") -> None:
        """Merge the moments of another identifier into these; the newest of both stay."""
        self.tenant = self.tenant or other.tenant
        both = {signal.subject_id: signal for signal in (*self._moments, *other._moments)}
        self._moments = sorted(both.values(), key=Signal.order)[-MAX_MOMENTS:]
