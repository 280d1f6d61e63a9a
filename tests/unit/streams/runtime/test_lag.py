"""A worker's lag follows the end of the log, also while it fetches nothing because a queue is full."""

import asyncio
from collections.abc import Collection

from faust.types import TP

from streams.runtime.full_ends import ASK_SECONDS, FullEnds

FULL, OTHER = TP("touchpoints", 0), TP("touchpoints", 1)


class Broker:
    """A log that grows; it may be away."""

    def __init__(self) -> None:
        self.ends = {FULL: 500, OTHER: 10}
        self.asked: list[set[TP]] = []
        self.reachable = True
        self.now = 0.0
        self.tasks: list[asyncio.Task[None]] = []
        self.known = FullEnds(
            self.answer, lambda work: self.tasks.append(asyncio.ensure_future(work)), lambda: self.now
        )

    async def answer(self, partitions: Collection[TP]) -> dict[TP, int]:
        self.asked.append(set(partitions))
        await asyncio.sleep(0)
        if not self.reachable:
            raise ConnectionError
        return {tp: self.ends[tp] for tp in partitions}

    async def look(self, *full: TP, later: float = ASK_SECONDS) -> None:
        """A look some seconds later, and what comes of it."""
        self.now += later
        self.known.look(set(full))
        await asyncio.gather(*self.tasks)


def test_the_end_of_a_full_partition_follows_the_log() -> None:
    async def check() -> None:
        broker = Broker()
        await broker.look(FULL)
        assert (broker.known.end(FULL), broker.known.end(OTHER)) == (500, 0)
        broker.ends[FULL] = 900
        await broker.look(FULL)
        assert broker.known.end(FULL) == 900
        assert broker.asked == [{FULL}, {FULL}]

    asyncio.run(check())


def test_the_broker_is_not_asked_at_every_look_nor_while_an_answer_is_awaited() -> None:
    async def check() -> None:
        broker = Broker()
        for _ in range(3):
            await broker.look(FULL, later=ASK_SECONDS / 4)
        assert len(broker.asked) == 1
        for _ in range(3):
            broker.now += ASK_SECONDS
            broker.known.look({FULL})
        await asyncio.gather(*broker.tasks)
        assert len(broker.asked) == 2

    asyncio.run(check())


def test_a_broker_that_does_not_answer_stops_no_worker_and_is_asked_again() -> None:
    async def check() -> None:
        broker = Broker()
        broker.reachable = False
        await broker.look(FULL)
        assert broker.known.end(FULL) == 0
        broker.reachable = True
        await broker.look(FULL)
        assert broker.known.end(FULL) == 500

    asyncio.run(check())


def test_an_end_from_the_time_of_a_full_queue_is_forgotten_when_it_is_not_full_any_more() -> None:
    async def check() -> None:
        broker = Broker()
        await broker.look(FULL)
        await broker.look()
        assert broker.known.end(FULL) == 0
        assert len(broker.asked) == 1, "nothing is full: nothing is asked"

    asyncio.run(check())
