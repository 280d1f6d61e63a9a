"""When a loader reconciles, and what it does if ClickHouse fails or the loader stops."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.errors import SettingsError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.reconcile import schedule as module
from sinks.clickhouse.write.reconcile.schedule import (
    IDLE_SECONDS,
    LEAST_SECONDS,
    MOST_SECONDS,
    SHARE,
    Schedule,
)

WHERE = ClickHouse.from_url("clickhouse://localhost:1/shop")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Reconciling:
    """Takes so long for each run, and may fail."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ran: list[str] = []
        self.closed = False
        self.takes = 0.01
        self.error: Exception | None = None

    def run(self, what: str) -> int:
        self.ran.append(what)
        self.clock.now += self.takes
        if self.error is not None:
            raise self.error
        return 5_000

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[Schedule, Reconciling, Clock]:
    clock = Clock()
    reconciling = Reconciling(clock)
    monkeypatch.setattr(module, "Reconciliation", lambda *_: reconciling)
    return Schedule(WHERE, clock), reconciling, clock


async def works(schedule: Schedule, times: int, *, mine: bool = True) -> None:
    for _ in range(times):
        schedule.work(mine=mine)
        if schedule._working is not None:
            await asyncio.wait({schedule._working})


def test_owners_come_first_and_both_kinds_again_when_something_was_loaded_and_the_pause_is_over(
    parts: tuple[Schedule, Reconciling, Clock],
) -> None:
    schedule, reconciling, clock = parts

    async def run() -> None:
        await works(schedule, 5)
        assert reconciling.ran == ["owners", "profiles"]
        clock.now += LEAST_SECONDS
        await works(schedule, 5)
        assert reconciling.ran == ["owners", "profiles"]
        schedule.loaded()
        await works(schedule, 5)
        assert reconciling.ran == ["owners", "profiles"] * 2
        clock.now += IDLE_SECONDS  # another loader may have loaded something
        await works(schedule, 5)

    asyncio.run(run())
    assert reconciling.ran == ["owners", "profiles"] * 3
    assert metrics.RECONCILED_UNTIL.labels("profiles")._value.get() == 5.0


def test_over_a_day_of_loading_runs_take_the_share_that_they_may_take(
    parts: tuple[Schedule, Reconciling, Clock],
) -> None:
    schedule, reconciling, clock = parts
    reconciling.takes = 0.4
    began = clock.now

    async def run() -> None:
        while clock.now - began < 10_000:
            schedule.loaded()
            await works(schedule, 1)
            clock.now += 0.5

    asyncio.run(run())
    spent = reconciling.takes * len(reconciling.ran)
    assert 0.95 * SHARE < spent / (clock.now - began) < 1.05 * SHARE
    assert 0.8 < reconciling.ran.count("owners") / reconciling.ran.count("profiles") < 1.25


@pytest.mark.parametrize("takes", [0.9, 30.0])
def test_each_kind_runs_once_a_minute_or_for_its_share_of_the_time(
    parts: tuple[Schedule, Reconciling, Clock], takes: float
) -> None:
    schedule, reconciling, clock = parts
    reconciling.takes = takes
    began = clock.now

    async def run() -> None:
        while clock.now - began < 20_000:
            schedule.loaded()
            await works(schedule, 1)
            clock.now += 1.0

    asyncio.run(run())
    for kind in ("owners", "profiles"):
        runs = reconciling.ran.count(kind)
        assert runs >= 20_000 / (max(MOST_SECONDS, takes / SHARE) + takes + 2) - 1
    assert takes * len(reconciling.ran) / (clock.now - began) < 2.2 * max(
        SHARE, takes / MOST_SECONDS * (takes < 1)
    )


def test_a_loader_without_the_partition_does_not_reconcile(
    parts: tuple[Schedule, Reconciling, Clock],
) -> None:
    schedule, reconciling, _ = parts
    asyncio.run(works(schedule, 3, mine=False))
    assert reconciling.ran == []


def test_a_run_that_fails_is_counted_and_repeated(
    parts: tuple[Schedule, Reconciling, Clock], caplog: Any
) -> None:
    schedule, reconciling, clock = parts
    failures = metrics.RECONCILIATION_FAILURES.labels("owners")._value
    known = failures.get()
    reconciling.error = UnavailableError("ClickHouse at localhost:1 does not answer")

    async def run() -> None:
        await works(schedule, 2)
        clock.now += LEAST_SECONDS
        await works(schedule, 2)
        reconciling.error = None
        clock.now += LEAST_SECONDS
        await works(schedule, 2)

    asyncio.run(run())
    assert failures.get() == known + 2
    assert [record.message for record in caplog.records] == [
        "ClickHouse at localhost:1 does not answer; owners and profiles in ClickHouse stay as they are until it does"
    ]


def test_an_error_that_only_the_user_can_mend_ends_the_loader(
    parts: tuple[Schedule, Reconciling, Clock],
) -> None:
    schedule, reconciling, _ = parts
    reconciling.error = SettingsError("run `touchline migrate`")
    with pytest.raises(SettingsError, match="migrate"):
        asyncio.run(works(schedule, 2))


@pytest.mark.parametrize("begin", [lambda _: None, lambda schedule: schedule.work(mine=True)])
def test_a_stop_ends_the_run_and_closes_the_connection(
    parts: tuple[Schedule, Reconciling, Clock], begin: Callable[[Schedule], None]
) -> None:
    schedule, reconciling, _ = parts

    async def run() -> None:
        begin(schedule)
        await schedule.stop()

    asyncio.run(run())
    assert reconciling.closed
    assert schedule._stopping.is_set()
