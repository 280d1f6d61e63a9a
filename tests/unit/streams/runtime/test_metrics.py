"""What a worker counts at the end of a fetch: every record once, with its stage, and what became of it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas import topics
from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.errors import ContractError, Reason
from streams.runtime import metrics
from streams.runtime.publisher import Outbox
from streams.runtime.transaction import FetchTransaction
from tests.support.agents import FetchEvent, Record, worker_app
from tests.support.examples import example

CLOCK = SimpleNamespace(now=1_800_000_000.0)
STATES = topics.JOURNEY_STATES.name


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Table:
    """The state of a partition, which a rebalance may have taken away."""

    topic_name = "changelog"
    held = True

    def of(self, _: int) -> Any:
        return None

    def holds(self, *_: Any) -> bool:
        return self.held

    def record_own_writes(self, *_: Any) -> None:
        pass


class Publisher:
    """A broker that acknowledges everything."""

    async def publish(self, outbox: Outbox) -> dict[Any, tuple[int, int]]:
        return {place: (0, len(records) - 1) for place, records in outbox.records.items()}


def run(
    stage: str, records: list[Any], body: Callable[[FetchTransaction[Any]], None], *, held: bool = True
) -> None:
    async def running() -> None:
        table: Any = Table()
        table.held = held
        async with FetchTransaction(worker_app(Publisher()), table, 0, stage, FetchEvent(records)) as fetch:
            body(fetch)
        await asyncio.sleep(0.01)  # what is finished in the background

    asyncio.run(running())


def records(count: int, age: float) -> list[Any]:
    timestamp = int((CLOCK.now - age) * 1000)
    return [
        Record("touchpoints", offset=number, timestamp=timestamp, key=b"k", value=b"v")
        for number in range(count)
    ]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The worker's wall clock, which the test keeps; each test begins a day later."""
    CLOCK.now += 86_400
    monkeypatch.setattr(metrics, "time", SimpleNamespace(time=lambda: CLOCK.now))
    return CLOCK


def test_records_count_once_they_are_acknowledged_with_the_time_since_each_was_published() -> None:
    run("unit-a", records(3, age=7) + records(1, age=0.3), lambda _: None)
    assert sample("touchline_worker_records_total", stage="unit-a") == 4
    assert sample("touchline_worker_stage_seconds_count", stage="unit-a") == 4
    assert sample("touchline_worker_stage_seconds_bucket", stage="unit-a", le="5.0") == 1
    assert sample("touchline_worker_stage_seconds_bucket", stage="unit-a", le="10.0") == 4
    assert sample("touchline_worker_stage_seconds_sum", stage="unit-a") == pytest.approx(21.3)


def test_records_of_a_partition_that_was_taken_away_do_not_count() -> None:
    run("unit-b", records(3, age=0), lambda _: None, held=False)
    assert sample("touchline_worker_records_total", stage="unit-b") == 0


def test_records_that_are_finished_in_the_background_count_then() -> None:
    async def work(outputs: Outbox) -> None:
        outputs.add(STATES, b"key", b"late")
        assert sample("touchline_worker_records_total", stage="unit-c") == 0

    run("unit-c", records(2, age=0), lambda fetch: fetch.finish_in_background(work))
    assert sample("touchline_worker_records_total", stage="unit-c") == 2
    assert sample("touchline_worker_outputs_total", stage="unit-c", topic=STATES) == 1


def test_outputs_count_by_topic_whichever_step_publishes_them() -> None:
    def everything(fetch: FetchTransaction[Any]) -> None:
        fetch.publish(STATES, b"key", b"state")
        fetch.announced.add(topics.JOURNEY_SIGNALS.name, b"key", b"signal")
        fetch.write_ahead = [(b"key", b"ahead", None)]
        fetch.write(b"key", b"entry")
        fetch.write_after_outputs(lambda: [(b"key", b"deferred", None)])

    run("unit-d", records(1, age=0), everything)
    counted = {
        topic: sample("touchline_worker_outputs_total", stage="unit-d", topic=topic)
        for topic in (STATES, topics.JOURNEY_SIGNALS.name, "changelog")
    }
    assert counted == {STATES: 1, topics.JOURNEY_SIGNALS.name: 1, "changelog": 3}


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ContractError(Reason.TOO_LARGE, "large"), "TOO_LARGE"), (KeyError("a bug"), "UNEXPECTED")],
)
def test_dead_letters_count_by_stage_and_reason(error: Exception, reason: str) -> None:
    before = sample("touchline_worker_dead_letters_total", stage="unit-e", reason=reason)

    def body(fetch: FetchTransaction[Any]) -> None:
        for record in records(2, age=0):
            with fetch.dead_letter(record):
                raise error

    run("unit-e", records(2, age=0), body)
    assert sample("touchline_worker_dead_letters_total", stage="unit-e", reason=reason) == before + 2


def test_of_journey_inputs_the_newest_touchpoint_tells_how_old_its_state_is_and_how_late_it_came() -> None:
    resolved: Any = example("ResolvedTouchpoint")
    now = int(CLOCK.now * 1000)
    newest = resolved | {
        "touchpoint": resolved["touchpoint"] | {"received_at": now - 20_000, "occurred_at": now - 100_000}
    }
    values = [
        RESOLVED_TOUCHPOINT.encode(resolved),
        RESOLVED_TOUCHPOINT.encode(newest),
        b"no touchpoint",
        None,
    ]
    names = ("touchline_worker_publish_to_state_seconds", "touchline_worker_lateness_seconds")
    before = [sample(f"{name}_{end}") for name in names for end in ("count", "sum")]
    metrics.finished("journeys", [Record(timestamp=now, value=value) for value in values])
    after = [sample(f"{name}_{end}") for name in names for end in ("count", "sum")]
    found = [now - then for now, then in zip(after, before, strict=True)]
    assert found == [1, pytest.approx(20), 1, pytest.approx(80)]


def test_a_touchpoint_that_cannot_be_read_is_measured_by_nobody() -> None:
    before = sample("touchline_worker_publish_to_state_seconds_count")
    metrics.finished("journeys", [Record(value=RESOLVED_TOUCHPOINT.header + b"\xff")])
    metrics.finished("journeys", [])
    assert sample("touchline_worker_publish_to_state_seconds_count") == before


def test_of_few_fetches_within_a_second_one_is_measured() -> None:
    value = RESOLVED_TOUCHPOINT.encode(example("ResolvedTouchpoint"))  # type: ignore[arg-type]
    before = sample("touchline_worker_publish_to_state_seconds_count")
    for _ in range(metrics.MEASURED_FETCHES):
        metrics.finished("journeys", [Record(value=value)])
    assert sample("touchline_worker_publish_to_state_seconds_count") == before + 1
    metrics.finished("journeys", [Record(value=value)])
    assert sample("touchline_worker_publish_to_state_seconds_count") == before + 2
