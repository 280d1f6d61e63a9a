"""The identifiers that own the touchpoints of a journey, and the signals that they are one person."""

from typing import Any

from schemas.records import Identifier
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.values.bounded import MAX_NAMES, put
from streams.journeys.state.values.stamps import Stamp, dump_marked


class Owners:
    """Each owner's first touchpoint. Every owner but the first one is a `profile_merged` signal."""

    __slots__ = ("_book", "_first", "merged")

    def __init__(self, book: SignalBook) -> None:
        self._book = book
        self._first: dict[tuple[str, str], Stamp] = {}
        self.merged: list[Signal] = []

    def note(self, node: tuple[str, str], at: int, event: str, tenant: str) -> None:
        """Note the owner of the next touchpoint in fold order; `at` in UTC ms, `event` an event_key."""
        first = self._first
        if node in first or len(first) >= MAX_NAMES:
            return
        self._book.tenant = tenant
        first[node] = stamp = (at, event)
        if len(first) > 1:
            self.merged.append(self._signal(stamp, node))

    def identifiers(self) -> list[Identifier]:
        """The owners, sorted."""
        return [{"type": kind, "value": value} for kind, value in sorted(self._first)]

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "owners": [
                {"type": node[0], "value": node[1], "first": dump_marked((*stamp, ""))}
                for node, stamp in self._first.items()
            ],
            "merged": [signal.dump() for signal in self.merged],
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._first = {
            (item["type"], item["value"]): (item["first"]["at"], item["first"]["event_id"])
            for item in record["owners"]
        }
        self.merged = [Signal.load(item) for item in record["merged"]]

    def absorb(self, other: "Owners") -> None:
        """Merge the owners of another identifier's touchpoints into these."""
        for node, stamp in other._first.items():
            put(self._first, node, min(stamp, self._first.get(node, stamp)))
        later = sorted(self._first.items(), key=lambda item: item[1])[1:]
        self.merged = [self._signal(stamp, node) for node, stamp in later]

    def _signal(self, stamp: Stamp, node: tuple[str, str]) -> Signal:
        return self._book.make("profile_merged", stamp[0], (stamp[1],), {"identifier_type": node[0]})
