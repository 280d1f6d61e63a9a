"""Lanes: an agent takes the fetches of one partition in order, and those of different partitions beside each other.

A fetch spends most of its time waiting for the broker to acknowledge what it caused. One at a time, every partition
would wait for all others' acknowledgements, at each stage of an event's path.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any


class Lane:
    """The fetches of one partition, as a stream for an agent."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        self._is_current = is_current
        self._waiting: asyncio.Queue[Any] = asyncio.Queue(maxsize=1)

    async def put(self, event: Any) -> None:
        """Append a fetch; waits while another one does."""
        await self._waiting.put(event)

    def noack(self) -> "Lane":
        """Nothing is acknowledged by itself anyway."""
        return self

    async def events(self) -> AsyncIterator[Any]:
        """The fetches, but for those from before a rebalance: they are read again, by whoever has the partition now."""
        while True:
            event = await self._waiting.get()
            if self._is_current(event):
                yield event


async def run_lanes(
    stream: Any, process: Callable[[Lane], Coroutine[Any, Any, None]], is_current: Callable[[Any], bool]
) -> None:
    """Spread a stream's fetches over lanes and run `process` on each. What one raises ends all, and is raised."""
    lanes: dict[int, Lane] = {}
    try:
        async with asyncio.TaskGroup() as running:
            async for event in stream.noack().events():
                partition = event.message.partition
                lane = lanes.get(partition)
                if lane is None:
                    lane = lanes[partition] = Lane(is_current)
                    running.create_task(process(lane))
                await lane.put(event)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
