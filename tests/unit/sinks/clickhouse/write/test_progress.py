"""How far a loader says that it is behind, also while it fetches nothing; and the traces of what it has loaded."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY

from schemas.errors import ContractError, Reason
from schemas.settings import Settings
from schemas.tracing.traceparent import HEADER, Parent
from schemas.tracing.tracer import Tracer, tracer_of
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.inserts import Rejected
from sinks.clickhouse.write.progress import Progress
from tests.support.agents import Record
from tests.support.otlp import receiving

PART = TopicPartition("journey-inputs", 1)


class Consumer:
    """Fetched offset 5 last; the partition's end has moved on since."""

    def __init__(self, end: int | None) -> None:
        self.end = end

    def assignment(self) -> set[TopicPartition]:
        return {PART}

    def highwater(self, _: TopicPartition) -> int:
        return 5

    async def end_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.end is None:
            raise KafkaConnectionError("away")
        return dict.fromkeys(parts, self.end)


def lag(consumer: Consumer) -> float | None:
    """The gauge after two scrapes: the first one makes the loader ask."""

    async def scraped() -> None:
        progress = Progress(Settings().clickhouse())
        progress.consumer = consumer
        progress.read(PART, [Record(PART.topic, PART.partition, 3)])
        for _ in range(2):
            progress.refresh()
            await asyncio.sleep(0.01)
        await progress.stop()

    asyncio.run(scraped())
    labels = {"topic": PART.topic, "partition": str(PART.partition)}
    return REGISTRY.get_sample_value("touchline_loader_lag_records", labels)


def test_lag_grows_while_clickhouse_is_away_and_nothing_is_fetched() -> None:
    assert lag(Consumer(end=1003)) == 1000


def test_without_an_answer_the_lag_is_that_of_the_last_fetch() -> None:
    assert lag(Consumer(end=None)) == 2


def test_a_touchpoint_whose_row_is_there_is_a_span_and_one_that_is_refused_is_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="pip install '.[tracing]'")
    parent = Parent(0xABC, 0xDEF)
    row, refused, plain = (
        Record(PART.topic, PART.partition, offset, headers=headers)
        for offset, headers in ((3, [(HEADER, parent.header)]), (4, [(HEADER, parent.header)]), (5, []))
    )

    async def load(tracer: Tracer) -> None:
        progress = Progress(Settings().clickhouse(), tracer=tracer)
        progress.read(PART, [row, refused, plain])
        progress.rejected(Rejected(refused, ContractError(Reason.UNDECODABLE, "cut off")))
        progress.loaded([row, plain], {PART: 6})
        await progress.stop()

    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        tracer = tracer_of(Settings(tracing="otlp"), "loader")
        assert tracer is not None
        asyncio.run(load(tracer))
    told = {span.name: (span.attributes["messaging.kafka.offset"], span.failed) for span in receiver.spans}
    assert told == {"load": (3, False), "load dead letter": (4, True)}


def stage_seconds(stage: str) -> float:
    """The sum that the stage's histogram shows so far."""
    return REGISTRY.get_sample_value("touchline_loader_stage_seconds_sum", {"stage": stage}) or 0.0


def test_the_fetch_stage_is_the_age_of_the_oldest_record_of_a_fetch_and_never_below_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time", lambda: 100.0)
    progress, before = Progress(Settings().clickhouse()), stage_seconds("fetch")
    progress.read(PART, [Record(PART.topic, 1, 3, 99_250), Record(PART.topic, 1, 4, 99_900)])
    assert stage_seconds("fetch") - before == pytest.approx(0.75)
    progress.read(PART, [Record(PART.topic, 1, 5, 100_500)])  # the producer's clock is ahead
    assert stage_seconds("fetch") - before == pytest.approx(0.75)


def test_a_stage_that_fails_is_measured_as_well() -> None:
    before = REGISTRY.get_sample_value("touchline_loader_stage_seconds_count", {"stage": "insert"}) or 0.0
    with pytest.raises(ValueError, match="harm"), metrics.stage("insert"):
        raise ValueError("harm")
    after = REGISTRY.get_sample_value("touchline_loader_stage_seconds_count", {"stage": "insert"})
    assert after == before + 1
