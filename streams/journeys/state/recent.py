"""The newest touchpoints, which the journey state shows. Each is encoded once and kept encoded."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from schemas.encoding.codec import decode_item
from schemas.encoding.splicing import put_recent, recent_item
from schemas.records import RecentTouchpoint
from streams.journeys.state.sessions import Session, SessionPool

RECENT: Final = 20  #: touchpoints that the state shows


class Recent:
    """The newest touchpoints of one journey, oldest first."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: deque[bytes] = deque(maxlen=RECENT)

    def add(self, at: int, event_id: str, channel: str, name: str) -> None:
        """Add the next touchpoint, of type `name`; `at` in UTC ms."""
        self._items.append(recent_item(event_id, at, channel, name))

    def records(self) -> list[RecentTouchpoint]:
        """As the journey state shows them."""
        return [decode_item("JourneyState", "recent", item) for item in self._items]  # type: ignore[misc]

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {"recent": self.records()}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._fill(record["recent"])

    def absorb(self, other: "Recent") -> None:
        """Merge another identifier's touchpoints into these; the newest of both stay."""
        both = self.records() + other.records()
        self._items.clear()
        self._fill(sorted(both, key=lambda record: record["occurred_at"]))

    def into(self, state: bytes) -> bytes:
        """Insert the touchpoints into `state`, an encoded journey state with empty `recent` and predictions."""
        return put_recent(state, self._items)

    def _fill(self, records: Iterable[RecentTouchpoint]) -> None:
        for record in records:
            self.add(record["occurred_at"], record["event_id"], record["channel"], record["type"])
