"""A worker's lag follows the end of the log, also while it fetches nothing because its queue is full."""

import asyncio
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from streams.runtime import fetches
from streams.runtime.fetches import FetchConsumer
from streams.runtime.offset_tracker import OffsetTracker

FULL, OTHER = TP("touchpoints", 0), TP("touchpoints", 1)


class Log:
    """The consumer's thread: it knows the ends of the last fetch, and can ask the broker for those of now."""

    def __init__(self, *, reachable: bool) -> None:
        self._consumer = object()
        self.end = 10
        self.asked: list[set[tuple[str, int]]] = []
        self._reachable = reachable

    async def highwaters(self, *partitions: Any) -> dict[Any, int]:
        self.asked.append({(tp.topic, tp.partition) for tp in partitions})
        if not self._reachable:
            raise ConnectionError
        return dict.fromkeys(partitions, self.end)


class Consumer(FetchConsumer):
    """Faust's consumer, of which the last fetch saw offset 10 and six records are committed."""

    def __init__(self, *full: TP, reachable: bool = True) -> None:
        self.full = set(full)
        self.app = SimpleNamespace(partition_queues=SimpleNamespace(full=lambda: self.full))
        self._thread = Log(reachable=reachable)
        self._committed_offset = {FULL: 6, OTHER: 6}
        self._offset_tracker = OffsetTracker()
        self._ends, self._ends_asked, self._asks_ends = {}, float("-inf"), False
        self.tasks: list[asyncio.Task[None]] = []

    def assignment(self) -> set[TP]:
        return {FULL, OTHER}

    def highwater(self, tp: TP) -> int:  # noqa: ARG002
        return 10

    def _is_changelog_tp(self, tp: TP) -> bool:  # noqa: ARG002
        return False

    def add_future(self, work: Coroutine[Any, Any, None]) -> Any:
        self.tasks.append(asyncio.ensure_future(work))

    async def read(self) -> None:
        """Read once, and let the broker answer."""
        await self._getmany({FULL}, 0.0)
        await asyncio.gather(*self.tasks)

    def lag(self) -> dict[TP, int]:
        return {tp: lag for tp, lag, _ in self.progress()}


def test_the_lag_of_a_full_queue_grows_with_the_log() -> None:
    async def check() -> None:
        consumer = Consumer(FULL)
        assert consumer.lag() == {FULL: 4, OTHER: 4}
        for end in (500, 900):
            consumer._thread.end = end
            consumer._ends_asked = float("-inf")
            await consumer.read()
            assert consumer.lag() == {FULL: end - 6, OTHER: 4}
        assert consumer._thread.asked == [{tuple(FULL)}] * 2

    asyncio.run(check())


def test_the_broker_is_not_asked_at_every_read() -> None:
    async def check() -> None:
        consumer = Consumer(FULL)
        for _ in range(3):
            await consumer.read()
        assert len(consumer._thread.asked) == 1

    asyncio.run(check())


def test_a_broker_that_does_not_answer_stops_no_worker_and_is_asked_again() -> None:
    async def check() -> None:
        consumer = Consumer(FULL, reachable=False)
        for _ in range(2):
            consumer._ends_asked = float("-inf")
            await consumer.read()
        assert consumer.lag() == {FULL: 4, OTHER: 4}
        assert len(consumer._thread.asked) == 2

    asyncio.run(check())


def test_an_end_from_the_time_of_a_full_queue_is_forgotten_when_it_is_not_full_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(*_: Any) -> dict[Any, Any]:
        return {}

    monkeypatch.setattr(fetches.driver.Consumer, "_getmany", nothing)

    async def check() -> None:
        consumer = Consumer(FULL)
        consumer._thread.end = 500
        await consumer.read()
        consumer.full.clear()
        await consumer.read()
        assert consumer.lag()[FULL] == 4

    asyncio.run(check())
