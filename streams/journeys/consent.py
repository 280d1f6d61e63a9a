"""Consent: the latest decision per purpose, the most restrictive when two carry the same time."""

from typing import Final

from schemas.records import ConsentDecision
from streams.journeys.bounded import put
from streams.journeys.signals import Signal, SignalBook

_STRICTNESS: Final = {"GRANTED": 0, "DENIED": 1, "REVOKED": 2}


class Consent:
    """The decisions of one person, and the withdrawals that still stand."""

    __slots__ = ("_book", "_decisions", "_withdrawn")

    def __init__(self, book: SignalBook) -> None:
        self._book = book
        self._decisions: dict[str, tuple[int, ConsentDecision]] = {}
        self._withdrawn: dict[str, Signal] = {}

    def decide(self, decisions: dict[str, ConsentDecision], at: int, event_id: str) -> None:
        """Take the decisions of a touchpoint, no earlier than the last one's."""
        for purpose, decision in decisions.items():
            known_at, known = self._decisions.get(purpose, (None, None))
            if known is not None and known_at == at and _STRICTNESS[known] >= _STRICTNESS[decision]:
                continue
            put(self._decisions, purpose, (at, decision))
            if decision == "GRANTED":
                self._withdrawn.pop(purpose, None)
            elif purpose not in self._withdrawn and (decision == "REVOKED" or known == "GRANTED"):
                details = {"purpose": purpose, "decision": decision}
                signal = self._book.make(
                    "consent_withdrawn", at, (event_id,), details, f"{event_id}/{purpose}"
                )
                put(self._withdrawn, purpose, signal)

    def record(self) -> dict[str, ConsentDecision]:
        """As the journey state publishes it."""
        return {purpose: decision for purpose, (_, decision) in self._decisions.items()}

    def withdrawals(self) -> list[Signal]:
        """A signal for each purpose whose consent was withdrawn and not given again."""
        return list(self._withdrawn.values())
