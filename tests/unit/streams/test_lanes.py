"""Fetches of one partition come in order, those of others do not wait for them."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from streams.runtime.lanes import Lane, run_lanes


class Stream:
    def __init__(self, *events: Any) -> None:
        self._events = events

    def noack(self) -> "Stream":
        return self

    async def events(self) -> AsyncIterator[Any]:
        for event in self._events:
            yield event
        await asyncio.Event().wait()


def fetch(partition: int, number: int, generation: int = 1) -> Any:
    return SimpleNamespace(
        message=SimpleNamespace(partition=partition, generation_id=generation), value=number
    )


def is_current(event: Any) -> bool:
    return event.message.generation_id == 1


async def until_cancelled(work: Any, enough: asyncio.Event) -> None:
    task = asyncio.create_task(work)
    await asyncio.wait(
        {task, asyncio.create_task(enough.wait())}, return_when=asyncio.FIRST_COMPLETED, timeout=20
    )
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_partition_that_waits_holds_up_no_other_and_keeps_its_order() -> None:
    async def play() -> None:
        seen: list[tuple[int, int]] = []
        first_goes_on, all_seen = asyncio.Event(), asyncio.Event()

        async def process(lane: Lane) -> None:
            async for event in lane.events():
                if (event.message.partition, event.value) == (0, 0):
                    await first_goes_on.wait()
                seen.append((event.message.partition, event.value))
                if seen[-1] == (1, 1):
                    first_goes_on.set()
                if len(seen) == 4:
                    all_seen.set()

        stream = Stream(fetch(0, 0), fetch(0, 1), fetch(1, 0), fetch(1, 1))
        await until_cancelled(run_lanes(stream, process, is_current), all_seen)
        assert seen == [(1, 0), (1, 1), (0, 0), (0, 1)]

    asyncio.run(play())


def test_what_was_read_before_a_rebalance_is_left_to_its_next_owner() -> None:
    async def play() -> None:
        seen: list[int] = []
        done = asyncio.Event()

        async def process(lane: Lane) -> None:
            async for event in lane.events():
                seen.append(event.value)
                if event.value == 3:
                    done.set()

        stream = Stream(fetch(0, 1, generation=0), fetch(0, 2), fetch(0, 3))
        await until_cancelled(run_lanes(stream, process, is_current), done)
        assert seen == [2, 3]

    asyncio.run(play())


def test_what_one_lane_raises_ends_all_and_is_raised_as_it_was() -> None:
    async def play() -> None:
        async def process(lane: Lane) -> None:
            async for event in lane.events():
                raise KeyError(event.value)

        await run_lanes(Stream(fetch(0, 1), fetch(1, 2)), process, is_current)

    with pytest.raises(KeyError):
        asyncio.run(play())
