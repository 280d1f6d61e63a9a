"""Partition queues: ordered within a partition, concurrent across partitions, and queued fetches combine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import pytest
from faust.types import TP

from streams.runtime.partition_queues import QUEUE_BYTES, QUEUE_RECORDS, PartitionQueue, PartitionQueues


class Message:
    def __init__(self, partition: int, generation: int) -> None:
        self.tp = TP("topic", partition)
        self.partition = partition
        self.generation_id = generation


class Record(NamedTuple):
    number: int
    value: bytes | None = None


class Fetch:
    """A Faust event whose value are records."""

    def __init__(self, partition: int, *numbers: int, generation: int = 1, size: int = 0) -> None:
        self.message = Message(partition, generation)
        self.value = [Record(number, bytes(size)) for number in numbers]
        self.acknowledged = False

    def ack(self) -> None:
        self.acknowledged = True


class Stream:
    """Hands fetches on one by one, and then nothing more."""

    def __init__(self, *events: Fetch) -> None:
        self._events = events

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Fetch]:
        for event in self._events:
            yield event
        await asyncio.Event().wait()


def is_current(event: Fetch) -> bool:
    return event.message.generation_id == 1


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 (what it waits for is no event)
        await asyncio.sleep(0)


def play(
    process: Callable[[PartitionQueue, asyncio.Event], Coroutine[Any, Any, None]],
    *events: Fetch,
    queues: PartitionQueues | None = None,
) -> None:
    """Run queues over the events until `process` sets its event."""

    async def until_enough() -> None:
        enough = asyncio.Event()
        running = asyncio.create_task(
            (queues or PartitionQueues(is_current)).run(Stream(*events), lambda queue: process(queue, enough))
        )
        seen = asyncio.create_task(enough.wait())
        await asyncio.wait({running, seen}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        seen.cancel()
        if not running.done():
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        else:
            running.result()
        assert enough.is_set()

    asyncio.run(until_enough())


def test_a_partition_that_waits_holds_up_no_other_and_keeps_its_order() -> None:
    seen: list[tuple[int, int]] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        async for event in queue.events():
            if event.message.partition == 0:
                await until(lambda: (1, 11) in seen)
            seen.extend((event.message.partition, record.number) for record in event.value)
            if len(seen) == 4:
                enough.set()

    play(process, Fetch(0, 0), Fetch(0, 1), Fetch(1, 10), Fetch(1, 11))
    assert seen == [(1, 10), (1, 11), (0, 0), (0, 1)]


def test_what_waits_is_taken_together_and_acknowledged_together() -> None:
    fetches = [Fetch(0, 1), Fetch(0, 2, 3), Fetch(0, 4)]
    taken: list[list[int]] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        await until(lambda: queue.records >= 4)
        async for event in queue.events():
            taken.append([record.number for record in event.value])
            assert not any(fetch.acknowledged for fetch in fetches)
            event.ack()
            enough.set()

    play(process, *fetches)
    assert taken == [[1, 2, 3, 4]]
    assert all(fetch.acknowledged for fetch in fetches)


def test_no_more_is_taken_together_than_a_lane_hands_over_at_once() -> None:
    half = QUEUE_RECORDS // 2
    taken: list[int] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        await until(lambda: queue.records >= 5 * half)
        async for event in queue.events():
            taken.append(len(event.value))
            if sum(taken) == 5 * half:
                enough.set()

    play(process, *(Fetch(0, *range(half)) for _ in range(5)))
    assert taken == [2 * half, 2 * half, half]


def test_a_partition_is_full_while_as_much_waits_as_can_be_taken_at_once() -> None:
    queues = PartitionQueues(is_current)
    full: list[set[TP]] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        await until(lambda: queue.records >= QUEUE_RECORDS)
        full.append(queues.full())
        async for _ in queue.events():
            full.append(queues.full())
            enough.set()

    play(process, Fetch(0, *range(QUEUE_RECORDS - 1)), Fetch(0, 1), queues=queues)
    assert full == [{TP("topic", 0)}, set()]
    assert queues.full() == set()


def test_a_partition_is_full_while_a_mebibyte_waits() -> None:
    queues = PartitionQueues(is_current)
    full: list[set[TP]] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        await until(lambda: queue.records == 2)
        full.append(queues.full())
        async for _ in queue.events():
            full.append(queues.full())
            enough.set()

    play(process, Fetch(0, 1, size=QUEUE_BYTES - 1), Fetch(0, 2, size=1), queues=queues)
    assert full == [{TP("topic", 0)}, set()]


def test_what_was_read_before_a_rebalance_is_left_to_its_next_owner() -> None:
    old = Fetch(0, 1, generation=0)
    seen: list[int] = []

    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        async for event in queue.events():
            seen.extend(record.number for record in event.value)
            event.ack()
            if 3 in seen:
                enough.set()

    play(process, old, Fetch(0, 2), Fetch(0, 3))
    assert seen == [2, 3]
    assert not old.acknowledged


def test_what_one_lane_raises_ends_all_and_is_raised_as_it_was() -> None:
    async def process(queue: PartitionQueue, enough: asyncio.Event) -> None:
        async for event in queue.events():
            raise KeyError(event.value[0].number)

    with pytest.raises(KeyError):
        play(process, Fetch(0, 1), Fetch(1, 2))
