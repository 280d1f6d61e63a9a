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
