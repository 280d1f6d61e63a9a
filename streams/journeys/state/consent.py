"""Consent: the latest decision per purpose, the most restrictive when two carry the same time."""

from typing import Any, Final

from schemas.records import ConsentDecision
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.values.bounded import put

#: Of several decisions at one time the strictest stands.
STRICTNESS: Final = {"GRANTED": 0, "DENIED": 1, "REVOKED": 2}


class Consent:
    """The latest decisions of one person, and the withdrawals that no later grant revoked."""

    __slots__ = ("_book", "_decisions", "_withdrawn")

    def __init__(self, book: SignalBook) -> None:
        self._book = book
        self._decisions: dict[str, tuple[int, ConsentDecision]] = {}
        self._withdrawn: dict[str, Signal] = {}

    def decide(self, decisions: dict[str, ConsentDecision], at: int, event: str) -> None:
        """Take the decisions of a touchpoint, at `at` (UTC ms), which is no earlier than at the last call."""
        for purpose, decision in decisions.items():
            known_at, known = self._decisions.get(purpose, (None, None))
            if known is not None and known_at == at and STRICTNESS[known] >= STRICTNESS[decision]:
                continue
            put(self._decisions, purpose, (at, decision))
            if decision == "GRANTED":
                self._withdrawn.pop(purpose, None)
            elif purpose not in self._withdrawn and (decision == "REVOKED" or known == "GRANTED"):
                details = {"purpose": purpose, "decision": decision}
                signal = self._book.make("consent_withdrawn", at, (event,), details, f"{event}/{purpose}")
                put(self._withdrawn, purpose, signal)

    def record(self) -> dict[str, ConsentDecision]:
        """As the journey state publishes it."""
        return {purpose: decision for purpose, (_, decision) in sorted(self._decisions.items())}

    def withdrawals(self) -> list[Signal]:
        """A signal for each purpose whose consent was withdrawn and not given again."""
        return list(self._withdrawn.values())

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        decisions = [
            {
                "purpose": purpose,
                "at": at,
                "decision": decision,
                "withdrawn": self._withdrawn[purpose].dump() if purpose in self._withdrawn else None,
            }
            for purpose, (at, decision) in self._decisions.items()
        ]
        return {"consent": decisions}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        for item in record["consent"]:
            self._decisions[item["purpose"]] = item["at"], item["decision"]
            if item["withdrawn"] is not None:
                self._withdrawn[item["purpose"]] = Signal.load(item["withdrawn"])

    def absorb(self, other: "Consent") -> None:
        """Merge another identifier's decisions into these: the later one stays, of equal times the stricter one."""
        for purpose, (at, decision) in other._decisions.items():
            mine = self._decisions.get(purpose)
            if mine is None or (mine[0], STRICTNESS[mine[1]]) < (at, STRICTNESS[decision]):
                put(self._decisions, purpose, (at, decision))
                self._withdrawn.pop(purpose, None)
                if purpose in other._withdrawn:
                    put(self._withdrawn, purpose, other._withdrawn[purpose])
