"""What the service knows to be new: tells the stream of states and whoever waits for an event."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schemas import topics
from sinks.subscribers.events import state_event
from sinks.subscribers.table.store import Applied, Positions
from sinks.subscribers.window import Window

_STATES: Final = topics.JOURNEY_STATES.name


class Hub:
    """The listener of the table's follower. One event loop."""

    def __init__(self, states: Window) -> None:
        self._states = states
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def applied(self, batch: Applied, positions: Positions) -> None:
        """Tell of a batch that is in the table."""
        count = max((number + 1 for name, number in positions if name == _STATES), default=0)
        vector = [positions.get((_STATES, number), 0) for number in range(count)]
        if len(self._states.head) != count:
            self._states.open(vector)
        self._states.add([state_event(entry) for entry in batch.entries if entry.kind == "states"], vector)
        for tenant in {entry.tenant for entry in batch.entries}:
            for news in self._waiting.get(tenant, ()):
                news.set()

    def cleared(self) -> None:
        """End the streams of states: what their readers know may be out of date, and nothing tells which of it."""
        self._states.open(())

    @property
    def waiting(self) -> int:
        """How many requests wait for news."""
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def news(self, tenant: str) -> Iterator[asyncio.Event]:
        """Set whenever something of a tenant has come into the table."""
        event = asyncio.Event()
        self._waiting[tenant].add(event)
        try:
            yield event
        finally:
            self._waiting[tenant].discard(event)
            if not self._waiting[tenant]:
                del self._waiting[tenant]
