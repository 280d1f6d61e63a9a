"""Health: a loop that does not turn is dead, one that waits is not ready, and the heartbeat says how late it was."""

import asyncio
from types import SimpleNamespace
from typing import Any

from schemas.health import BEAT_SECONDS, STUCK_SECONDS, Health, Heartbeat


class Loop:
    """An event loop whose time the test keeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[Any] = []

    def call_later(self, _: float, call: Any) -> None:
        self.due.append(call)

    def turn(self) -> None:
        calls, self.due = self.due, []
        for call in calls:
            call()


def beating() -> tuple[Loop, Heartbeat, list[float]]:
    loop, late = Loop(), list[float]()
    heartbeat = Heartbeat(late.append, lambda: loop.now)
    heartbeat.start(loop)  # type: ignore[arg-type]
    return loop, heartbeat, late


def test_a_loop_that_turns_in_time_is_not_late() -> None:
    loop, heartbeat, late = beating()
    for _ in range(3):
        loop.now += BEAT_SECONDS
        loop.turn()
    assert late == [0.0, 0.0, 0.0]
    assert heartbeat.age() == 0


def test_a_loop_that_was_held_up_says_for_how_long() -> None:
    loop, heartbeat, late = beating()
    loop.now += BEAT_SECONDS + 4
    assert heartbeat.age() == 4
    loop.turn()
    assert late == [4]
    assert heartbeat.age() == 0


def test_a_process_whose_loop_is_stuck_is_dead_and_one_that_waits_is_only_not_ready() -> None:
    loop, heartbeat, _ = beating()
    waits = SimpleNamespace(reason="it waits for its partitions")
    health = Health("worker", heartbeat, lambda: waits.reason)
    assert health.dead() == ""
    assert health.unready() == "it waits for its partitions"
    waits.reason = ""
    assert health.unready() == ""
    loop.now += BEAT_SECONDS + STUCK_SECONDS + 1
    assert "has not turned for 31 s: start the worker again" in health.dead()
    assert health.unready() == health.dead()


def test_a_real_loop_beats() -> None:
    late: list[float] = []

    async def turn() -> None:
        heartbeat = Heartbeat(late.append)
        heartbeat.start(asyncio.get_running_loop())
        await asyncio.sleep(BEAT_SECONDS + 0.1)

    asyncio.run(turn())
    assert len(late) == 1
