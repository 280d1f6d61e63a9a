"""Time slices: computations take them in turns, and the event loop turns between two of them."""

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from streams.runtime import cooperative
from streams.runtime.cooperative import CooperativeScheduler, Turn


@pytest.fixture(autouse=True)
def _no_time_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooperative, "TIME_SLICE_SECONDS", 0.0)


def counting(steps: list[str], name: str, number: int) -> Iterator[None]:
    for _ in range(number):
        steps.append(name)
        yield
    return name  # type: ignore[return-value]


def test_computations_of_all_agents_take_slices_in_turns_and_the_loop_turns_between_two_slices() -> None:
    steps: list[str] = []

    async def others() -> None:
        for _ in range(6):
            steps.append("loop")
            await asyncio.sleep(0)

    async def run() -> None:
        runs = (CooperativeScheduler().run(counting(steps, name, 3)) for name in "abc")  # type: ignore[arg-type]
        await asyncio.gather(*runs, others())

    asyncio.run(run())
    alone = [step for step in steps if step != "loop"]
    assert alone[3:] == list("abc") * 2
    # after the first round, in which all begin, a slice never follows another without a turn of the loop
    rest = steps[4:]
    turns = [at for at, step in enumerate(rest) if step == "loop"]
    assert all(later - earlier <= 2 for earlier, later in pairwise(turns))


def test_a_computation_stops_at_a_time_and_goes_on_later() -> None:
    steps: list[str] = []
    work = counting(steps, "a", 3)

    async def run() -> None:
        scheduler = CooperativeScheduler()
        assert await scheduler.run_within(work, Turn(0.0)) is None  # type: ignore[arg-type]
        assert len(steps) == 1
        assert await scheduler.run_within(work, Turn(float("inf"))) == ("a",)  # type: ignore[arg-type]

    asyncio.run(run())


def test_what_an_agent_waits_for_others_does_not_shorten_its_turn() -> None:
    class Watched(Turn):
        extended = 0.0

        def extend(self, by: float) -> None:
            self.extended += by
            super().extend(by)

    async def another() -> None:
        time.sleep(0.05)  # noqa: ASYNC251 (it works)

    async def run() -> None:
        turn = Watched(0.0)
        waiting = asyncio.create_task(another())
        assert turn.over
        await CooperativeScheduler().yield_if_due(turn)
        assert waiting.done()
        assert turn.extended >= 0.05

    asyncio.run(run())


def test_who_is_cancelled_while_waiting_for_a_slice_keeps_nobody_else_from_it() -> None:
    steps: list[str] = []

    async def run() -> None:
        scheduler = CooperativeScheduler()
        tasks = [asyncio.create_task(scheduler.run(counting(steps, name, 5))) for name in "abc"]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert done[1:] == ["b", "c"]

    asyncio.run(run())


def test_a_new_event_loop_does_not_wait_for_those_of_a_former_one() -> None:
    async def leave() -> None:
        left = asyncio.create_task(CooperativeScheduler().run(counting([], "left", 9)))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert not left.done()

    async def run() -> object:
        return await CooperativeScheduler().run(counting([], "new", 3))  # type: ignore[arg-type]

    asyncio.run(leave())
    assert asyncio.run(asyncio.wait_for(run(), 5)) == "new"


def driven(work: Any) -> tuple[int, object]:
    """How often a coroutine stops, and what it returns."""
    stops = 0
    while True:
        try:
            assert work.send(None) is None
        except StopIteration as end:
            return stops, end.value
        stops += 1


def test_without_an_event_loop_a_computation_yields_to_whoever_drives_it() -> None:
    assert driven(CooperativeScheduler().run(counting([], "a", 2))) == (2, "a")  # type: ignore[arg-type]
