"""Partition queues: an agent processes each partition's fetches in order, and different partitions concurrently.

A fetch spends most of its time waiting for the broker to acknowledge its outputs. With a single queue, each partition
would also wait for all other partitions' acknowledgements, at every stage of an event's path. A queue hands everything
that arrived in the meantime to its agent as one fetch. So fetches grow with the load, and a record waits for no more
than one fetch before it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

from faust.types import TP

from streams.runtime.bounded_reads import value_bytes

#: Records that a queue combines into one fetch at most. A queue that holds as many is full.
QUEUE_RECORDS: Final = 2000
#: Bytes of record values at which a queue is full. The consumer reads no more of a partition while its queue is full.
QUEUE_BYTES: Final = 1024 * 1024


class CombinedFetches:
    """Consecutive fetches of one partition as one event with one acknowledgement."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events
        self.message = events[-1].message
        self.value = [record for event in events for record in event.value]

    def ack(self) -> None:
        """Acknowledge each of the fetches."""
        for event in self._events:
            event.ack()


class PartitionQueue:
    """The queued fetches of one partition, as a stream for an agent."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        """`is_current` tells whether an event belongs to the current generation of the consumer group."""
        self._is_current = is_current
        self._queued: deque[tuple[Any, int]] = deque()  #: fetches and their size in bytes
        self._nonempty = asyncio.Event()
        self.records = 0  #: queued records
        self._bytes = 0  #: size of the queued records

    def put(self, event: Any) -> None:
        """Append a fetch."""
        size = value_bytes(event.value)
        self._queued.append((event, size))
        self.records += len(event.value)
        self._bytes += size
        self._nonempty.set()

    @property
    def full(self) -> bool:
        """Whether the queue holds QUEUE_RECORDS or QUEUE_BYTES."""
        return self.records >= QUEUE_RECORDS or self._bytes >= QUEUE_BYTES

    def noack(self) -> "PartitionQueue":
        """The queue itself: it never acknowledges automatically."""
        return self

    def is_current(self, event: Any) -> bool:
        """Whether no rebalance has ended since the event was read: the partition's owner reads older ones again."""
        return self._is_current(event)

    async def events(self) -> AsyncIterator[Any]:
        """The fetches. Skips those from before a rebalance: the partition's present owner reads them again."""
        while True:
            await self._nonempty.wait()
            event = self.take_waiting()
            if event is not None:
                yield event

    def take_waiting(self) -> Any | None:
        """What waits already, as one fetch; None if nothing does."""
        taken = self._take()
        if not taken:
            return None
        return taken[0] if len(taken) == 1 else CombinedFetches(taken)

    def _take(self) -> list[Any]:
        taken: list[Any] = []
        records = 0
        while self._queued and (not taken or records + len(self._queued[0][0].value) <= QUEUE_RECORDS):
            event, size = self._queued.popleft()
            self.records -= len(event.value)
            self._bytes -= size
            if self._is_current(event):
                taken.append(event)
                records += len(event.value)
        if not self._queued:
            self._nonempty.clear()
        return taken


class PartitionQueues:
    """The partition queues of all agents of a worker."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        self._is_current = is_current
        self._queues: dict[TP, PartitionQueue] = {}

    def records(self) -> dict[TP, int]:
        """By partition, the records that wait for their agent."""
        return {tp: queue.records for tp, queue in self._queues.items()}

    def full(self) -> set[TP]:
        """The partitions with a full queue: the consumer must not read them (backpressure)."""
        return {tp for tp, queue in self._queues.items() if queue.full}

    async def run(self, stream: Any, process: Callable[[PartitionQueue], Coroutine[Any, Any, None]]) -> None:
        """Distribute a stream's fetches over one queue per partition, and run `process` on each queue.

        The first exception of a `process` cancels the others and is raised.
        """
        own: dict[TP, PartitionQueue] = {}
        try:
            async with asyncio.TaskGroup() as tasks:
                async for event in stream.noack().events():
                    tp = event.message.tp
                    queue = own.get(tp)
                    if queue is None:
                        queue = own[tp] = self._queues[tp] = PartitionQueue(self._is_current)
                        tasks.create_task(process(queue))
                    queue.put(event)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for tp in own:
                del self._queues[tp]
