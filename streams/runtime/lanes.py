"""Lanes: an agent takes the fetches of one partition in order, and those of different partitions beside each other.

A fetch spends most of its time waiting for the broker to acknowledge what it caused. One at a time, every partition
would wait for all others' acknowledgements, at each stage of an event's path. What comes to a lane meanwhile is taken
together as soon as the agent is free: under load fetches grow, and nothing queues behind more than one of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from faust.types import TP

#: Records that a lane hands to its agent together, and that may wait in it before no more of its partition are read.
LANE_RECORDS: Final = 2000
#: Bytes of records that may wait in a lane before no more of its partition are read.
LANE_BYTES: Final = 1024 * 1024


class Fetches:
    """Fetches of one partition that followed each other, as one event: acknowledged together."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events
        self.message = events[-1].message
        self.value = [record for event in events for record in event.value]

    def ack(self) -> None:
        """Acknowledge all of them."""
        for event in self._events:
            event.ack()


class Lane:
    """The fetches of one partition, as a stream for an agent."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        self._is_current = is_current
        self._waiting: deque[tuple[Any, int]] = deque()  #: fetches and their bytes
        self._there = asyncio.Event()
        self.records = 0  #: that wait
        self._bytes = 0  #: of these records

    def put(self, event: Any) -> None:
        """Append a fetch."""
        size = sum(len(record.value or b"") for record in event.value)
        self._waiting.append((event, size))
        self.records += len(event.value)
        self._bytes += size
        self._there.set()

    @property
    def full(self) -> bool:
        """Whether enough is waiting."""
        return self.records >= LANE_RECORDS or self._bytes >= LANE_BYTES

    def noack(self) -> "Lane":
        """Nothing is acknowledged by itself anyway."""
        return self

    async def events(self) -> AsyncIterator[Any]:
        """The fetches, but for those from before a rebalance: they are read again, by whoever has the partition now."""
        while True:
            await self._there.wait()
            taken = self._take()
            if taken:
                yield taken[0] if len(taken) == 1 else Fetches(taken)

    def _take(self) -> list[Any]:
        taken: list[Any] = []
        records = 0
        while self._waiting and (not taken or records + len(self._waiting[0][0].value) <= LANE_RECORDS):
            event, size = self._waiting.popleft()
            self.records -= len(event.value)
            self._bytes -= size
            if self._is_current(event):
                taken.append(event)
                records += len(event.value)
        if not self._waiting:
            self._there.clear()
        return taken


class Lanes:
    """The lanes of all agents."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        self._is_current = is_current
        self._lanes: dict[TP, Lane] = {}

    def full(self) -> set[TP]:
        """The partitions of which enough is waiting."""
        return {tp for tp, lane in self._lanes.items() if lane.full}

    async def run(self, stream: Any, process: Callable[[Lane], Coroutine[Any, Any, None]]) -> None:
        """Spread a stream's fetches over lanes and run `process` on each. What one raises ends all, and is raised."""
        mine: dict[TP, Lane] = {}
        try:
            async with asyncio.TaskGroup() as running:
                async for event in stream.noack().events():
                    tp = event.message.tp
                    lane = mine.get(tp)
                    if lane is None:
                        lane = mine[tp] = self._lanes[tp] = Lane(self._is_current)
                        running.create_task(process(lane))
                    lane.put(event)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for tp in mine:
                del self._lanes[tp]
