"""What the service knows to be new: tells the stream of states and whoever waits for an event."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schemas import topics
from sinks.subscribers.events import state_event
from sinks.subscribers.table.entries import Entry
from sinks.subscribers.table.store import Applied, Positions
from sinks.subscribers.window import Window

_STATES: Final = topics.JOURNEY_STATES.name


class Hub:
    """The listener of the table's follower. One event loop."""

    def __init__(self, states: Window) -> None:
        self._states = states
        #: Tenant → event id → who waits for it.
        self._waiting: defaultdict[str, defaultdict[str, set[asyncio.Event]]] = defaultdict(
            lambda: defaultdict(set)
        )

    def applied(self, batch: Applied, positions: Positions) -> None:
        """Tell of a batch that is in the table."""
        count = max((number + 1 for name, number in positions if name == _STATES), default=0)
        vector = [positions.get((_STATES, number), 0) for number in range(count)]
        if len(self._states.head) != count:
            self._states.open(vector)
        self._states.add([state_event(entry) for entry in batch.entries if entry.kind == "states"], vector)
        for entry in batch.entries if self._waiting else ():
            self._wake(entry)

    def cleared(self) -> None:
        """End the streams of states: what their readers know may be out of date, and nothing tells which of it."""
        self._states.open(())

    @property
    def waiting(self) -> int:
        """How many requests wait for news."""
        return sum(len(waiting) for events in self._waiting.values() for waiting in events.values())

    @contextmanager
    def news(self, tenant: str, event_id: str) -> Iterator[asyncio.Event]:
        """Set whenever a state lists an event of a tenant, and whenever somebody may have become another person."""
        news = asyncio.Event()
        events = self._waiting[tenant]
        events[event_id].add(news)
        try:
            yield news
        finally:
            events[event_id].discard(news)
            if not events[event_id]:
                del events[event_id]
            if not events:
                del self._waiting[tenant]

    def _wake(self, entry: Entry) -> None:
        events = self._waiting.get(entry.tenant)
        if not events or entry.kind == "accounts":
            return
        if entry.kind == "states" and entry.body is not None:
            listed = [one["event_id"] for one in entry.body["recent"]]
            told = [events[event_id] for event_id in listed if event_id in events]
        else:
            told = list(events.values())
        for waiting in told:
            for news in waiting:
                news.set()
