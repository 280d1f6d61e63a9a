"""Feedback: the answers to surveys, and the sentiment of what the customer wrote or said."""

from collections.abc import Sequence
from typing import Any, Final

from schemas.records import Score
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.values.bounded import put
from streams.journeys.state.values.decay import DecayedMean
from streams.journeys.state.values.stamps import Marked, dump_marked

#: The lowest good and the highest bad answer of each survey: CSAT (1-5), CES (1-7), NPS (0-10).
_GOOD_SCORE: Final = {"CSAT": 4, "CES": 5, "NPS": 9}
_BAD_SCORE: Final = {"CSAT": 2, "CES": 3, "NPS": 6}


def verdict(score: Score) -> bool | None:
    """Whether an answer is good (true) or bad (false); None if it is neither."""
    kind, value = score["kind"], score["value"]
    return True if value >= _GOOD_SCORE[kind] else False if value <= _BAD_SCORE[kind] else None


def last_answer(one: Marked | None, other: Marked) -> Marked:
    """The newer of two answers of one kind; of two that were given at one time, the better."""
    return one if one is not None and (one[0], one[2]) >= (other[0], other[2]) else other


class Scores:
    """The latest answer to each kind of survey, and the signal that the last NPS is a detractor's."""

    __slots__ = ("_book", "_detractor_at_most", "_latest", "detractor")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._book = book
        self._detractor_at_most = rules.detractor_at_most
        self._latest: dict[str, Marked] = {}
        self.detractor: Signal | None = None

    def add(self, score: Score, at: int, event: str) -> None:
        """Take the next answer, at `at` (UTC ms)."""
        kind, value = score["kind"], float(score["value"])
        self._latest[kind] = (at, event, value)
        if kind == "NPS":
            self.detractor = None
            if value <= self._detractor_at_most:
                self.detractor = self._book.make("detractor", at, (event,), {"nps": f"{value:g}"})

    def latest(self, kind: str) -> Marked | None:
        """The latest answer of a kind, with its touchpoint; None if there is none."""
        return self._latest.get(kind)

    def value(self, kind: str) -> float | None:
        """The latest answer of a kind; None if there is none."""
        marked = self._latest.get(kind)
        return None if marked is None else marked[2]

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "scores": {name: dump_marked(marked) for name, marked in self._latest.items()},
            "detractor": None if self.detractor is None else self.detractor.dump(),
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._latest = {
            kind: (item["at"], item["event_id"], item["value"]) for kind, item in record["scores"].items()
        }
        self.detractor = None if record["detractor"] is None else Signal.load(record["detractor"])

    def absorb(self, other: "Scores") -> None:
        """Merge another identifier's answers into these."""
        mine, theirs = self._latest.get("NPS"), other._latest.get("NPS")
        if theirs is not None and last_answer(mine, theirs) is theirs:
            self.detractor = other.detractor
        for kind, marked in other._latest.items():
            put(self._latest, kind, last_answer(self._latest.get(kind), marked))


class Sentiment:
    """The decayed mean of sentiment, and how the newest compares with it."""

    __slots__ = ("_below", "_book", "_count", "_mean", "_recent_mean")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._book = book
        self._below = rules.sentiment_below
        self._mean = DecayedMean(rules.sentiment_half_life_ms)
        self._recent_mean = DecayedMean(rules.trend_half_life_ms)
        self._count = 0

    def add(self, moods: Sequence[tuple[float, str]], at: int) -> None:
        """Add the sentiments of one time (UTC ms), each with its event.

        Raises `sentiment_drop` if the mean falls below the limit. That compares the means before and after all.
        """
        moods = sorted(moods, key=lambda mood: -mood[0])
        before = after = self._mean.value()
        for sentiment, _ in moods:
            self._count += 1
            self._recent_mean.add(sentiment, at)
            _, after = self._mean.add(sentiment, at)
        if before is not None and after is not None and before >= self._below > after:
            self._book.remember(
                "sentiment_drop", at, (moods[-1][1],), {"from": f"{before:.2f}", "to": f"{after:.2f}"}
            )

    def value(self) -> float | None:
        """The mean sentiment, -1 to 1; None if there is none."""
        return self._mean.value()

    def trend(self) -> float | None:
        """The recent mean less the mean; None before the second sentiment."""
        mean, recent = self._mean.value(), self._recent_mean.value()
        return None if mean is None or recent is None or self._count < 2 else recent - mean

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {
            "sentiment": self._mean.dump(),
            "sentiment_now": self._recent_mean.dump(),
            "sentiments": self._count,
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._mean.load(record["sentiment"])
        self._recent_mean.load(record["sentiment_now"])
        self._count = record["sentiments"]

    def absorb(self, other: "Sentiment") -> None:
        """Add another identifier's sentiments."""
        self._mean.absorb(other._mean)
        self._recent_mean.absorb(other._recent_mean)
        self._count += other._count
