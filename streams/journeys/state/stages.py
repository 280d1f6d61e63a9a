"""Lifecycle stages: the present stage, its start, and the first time of every stage reached."""

from typing import Any

from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.values.stamps import Stamp, dump_marked, load_marked


class Stages:
    """The stages of one journey; the catalogue lists them, so they are few."""

    __slots__ = ("_book", "_first", "_seen", "_signals", "_since", "stage")

    def __init__(self, book: SignalBook) -> None:
        self._book = book
        self.stage = ""  #: that of the newest touchpoint whose type names one
        self._since: int | None = None
        self._seen: Stamp | None = None  #: the newest touchpoint that named the present stage
        self._first: dict[str, Stamp] = {}
        self._signals: dict[str, Signal] = {}

    def touch(self, stage: str, at: int, event: str) -> None:
        """Enter the stage that a touchpoint's type names, at `at` (UTC ms). The first entry of a stage is a signal."""
        self._seen = (at, event)
        if stage != self.stage:
            self.stage = stage
            self._since = at
            if stage not in self._first:
                self._enter(stage, (at, event))

    def since(self, first_seen: int) -> int:
        """The start of the present stage, UTC ms; without a stage, the start of the journey."""
        return first_seen if self._since is None else self._since

    def records(self) -> dict[str, int]:
        """Stage to the first time it was reached, as the journey state publishes it."""
        return {stage: at for stage, (at, _) in sorted(self._first.items())}

    def signals(self) -> list[Signal]:
        """A signal for each stage that was entered."""
        return list(self._signals.values())

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "stage": self.stage,
            "stage_since": self._since,
            "stage_seen": dump_marked((*self._seen, "")) if self._seen else None,
            "stages": {stage: dump_marked((*stamp, "")) for stage, stamp in self._first.items()},
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self.stage, self._since = record["stage"], record["stage_since"]
        seen = load_marked(record["stage_seen"])
        self._seen = None if seen is None else seen[:2]
        for stage, item in record["stages"].items():
            self._enter(stage, (item["at"], item["event_id"]))

    def absorb(self, other: "Stages") -> None:
        """Merge another identifier's stages into these; the present stage is the one named last."""
        if other._seen is not None and (self._seen is None or other._seen > self._seen):
            self.stage, self._since, self._seen = other.stage, other._since, other._seen
        for stage, stamp in other._first.items():
            if stage not in self._first or stamp < self._first[stage]:
                self._enter(stage, stamp)

    def _enter(self, stage: str, stamp: Stamp) -> None:
        self._first[stage] = stamp
        self._signals[stage] = self._book.make("stage_entered", stamp[0], (stamp[1],), {"stage": stage})
