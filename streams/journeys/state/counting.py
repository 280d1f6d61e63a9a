"""Counting rules of the user: met by `at_least` touchpoints of the listed types within a sliding window."""

from collections import deque
from typing import Any

from streams.journeys.rules.custom_rules import CountRule
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import MAX_CAUSES, SignalBook
from streams.journeys.state.values.stamps import Stamp, dump_marked


class Counts:
    """The newest touchpoints of each rule that counts them."""

    __slots__ = ("_book", "_met_at", "_rules", "_seen")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._rules = rules
        self._book = book
        self._seen: dict[str, deque[Stamp]] = {}
        self._met_at: dict[str, int] = {}

    def note(self, rule: CountRule, at: int, event: str) -> None:
        """Count a touchpoint at `at` (UTC ms); raises the rule's signal when it is met, at most once a window."""
        seen = self._seen.get(rule.name)
        if seen is None:
            seen = self._seen[rule.name] = deque(maxlen=rule.at_least)
        seen.append((at, event))
        if len(seen) < rule.at_least or at - seen[0][0] > rule.within_ms:
            return
        met_at = self._met_at.get(rule.name)
        if met_at is None or at - met_at > rule.within_ms:
            self._met_at[rule.name] = at
            causes = tuple(cause for _, cause in seen)[-MAX_CAUSES:]
            self._book.remember(rule.name, at, causes, {"touchpoints": str(rule.at_least)})

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        counts = [
            {
                "rule": name,
                "met_at": self._met_at.get(name),
                "seen": [dump_marked((*stamp, "")) for stamp in seen],
            }
            for name, seen in sorted(self._seen.items())
        ]
        return {"counts": counts}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`; counts of rules that no longer exist are dropped."""
        at_least = {rule.name: rule.at_least for rule in self._rules.counts}
        for count in record["counts"]:
            name = count["rule"]
            if name in at_least:
                stamps = [(item["at"], item["event_id"]) for item in count["seen"]]
                self._seen[name] = deque(stamps, maxlen=at_least[name])
                if count["met_at"] is not None:
                    self._met_at[name] = count["met_at"]

    def absorb(self, other: "Counts") -> None:
        """Merge another identifier's counts into these."""
        for name, seen in other._seen.items():
            mine = self._seen.get(name, ())
            self._seen[name] = deque(sorted((*mine, *seen)), maxlen=seen.maxlen)
        for name, at in other._met_at.items():
            self._met_at[name] = max(at, self._met_at.get(name, at))
