"""How far a loader says that it is behind, also while it fetches nothing; and the traces of what it has loaded."""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY

from schemas.settings import Settings
from sinks.clickhouse.write.progress import Progress
from tests.support.agents import Record

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


def lag(consumer: Consumer, tracer: Any = None) -> float | None:
    """The gauge after two scrapes: the first one makes the loader ask."""

    async def scraped() -> None:
        progress = Progress(Settings().clickhouse(), tracer=tracer)
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
