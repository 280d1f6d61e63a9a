"""The newest touchpoints, which the journey state shows. Each is encoded once and kept encoded."""

from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from schemas.encoding.codec import decode_item, long_bytes, string_bytes
from schemas.records import RecentTouchpoint
from streams.journeys.state.sessions import Session, SessionPool

RECENT: Final = 20  #: touchpoints that the state shows
#: How an empty `recent` and the predictions after it end a state: an empty array, another one and two nulls.
_END: Final = bytes(4)


class Recent:
    """The newest touchpoints of one journey, oldest first."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: deque[bytes] = deque(maxlen=RECENT)

    def add(self, at: int, event_id: str, channel: str, name: str) -> None:
        """Add the next touchpoint, of type `name`; `at` in UTC ms."""
        self._items.append(string_bytes(event_id) + long_bytes(at) + _manner(channel, name))

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
        if not self._items:
            return state
        return b"".join((memoryview(state)[: -len(_END)], long_bytes(len(self._items)), *self._items, _END))

    def _fill(self, records: Iterable[RecentTouchpoint]) -> None:
        for record in records:
            self.add(record["occurred_at"], record["event_id"], record["channel"], record["type"])


@lru_cache(maxsize=4096)
def _manner(channel: str, name: str) -> bytes:
    """Channel and type, encoded. Cached: nearly all touchpoints have one of few pairs."""
    return string_bytes(channel) + string_bytes(name)
