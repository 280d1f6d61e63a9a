"""What reads signals and changes from Kafka: the tail for everybody, and the past of a reader that fell behind."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from schemas import topics
from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.keys import profile_key
from schemas.settings import Settings
from sinks.subscribers import past, tail
from sinks.subscribers.events import Wanted
from sinks.subscribers.past import KafkaPast, LostError
from sinks.subscribers.tail import Tail
from sinks.subscribers.window import Cursor, Window
from tests.support.kafka_records import signal

TOPIC = topics.JOURNEY_SIGNALS.name


class Record(NamedTuple):
    partition: int
    offset: int
    key: bytes
    value: bytes


def told(number: int) -> list[Record]:
    body = signal("s", 1)
    key = profile_key(body["tenant"], body["profile_id"])
    return [Record(0, offset, key, JOURNEY_SIGNAL.encode(body)) for offset in range(number)]


class Kafka:
    """A broker with one topic of one partition; each consumer has its own place."""

    def __init__(self, records: int, start: int = 0) -> None:
        self.records, self.start_at = told(records), start
        self.consumers = 0

    def consumer(self, **options: Any) -> "Consumer":
        assert options["auto_offset_reset"] == "none", "what is lost is never left out silently"
        self.consumers += 1
        return Consumer(self)


class Consumer:
    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.at: dict[TopicPartition, int] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, places: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at[place] = offset

    async def position(self, place: TopicPartition) -> int:
        return self.at[place]

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.kafka.start_at)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, len(self.kafka.records))

    async def getmany(self, max_records: int, **_: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0.001)
        ((place, at),) = self.at.items()
        if at < self.kafka.start_at:
            raise OffsetOutOfRangeError(place)
        found = self.kafka.records[at : at + min(max_records, 2)]
        self.at[place] += len(found)
        return {place: found} if found else {}


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.005)


def test_a_topic_that_is_made_anew_ends_the_streams_and_its_signals_are_told(monkeypatch) -> None:
    """Else signals at offsets that were told before would be left out for everybody."""

    async def run() -> None:
        kafka = Kafka(5)
        monkeypatch.setattr(tail, "AIOKafkaConsumer", kafka.consumer)
        monkeypatch.setattr(tail, "_AGAIN_SECONDS", 0.01)
        monkeypatch.setattr(tail, "_CHECK_SECONDS", 0.02)

        async def counted(_: Settings, wanted: Any) -> dict[TopicPartition, Any]:
            return {TopicPartition(topic.name, 0): topic for topic in wanted}

        monkeypatch.setattr(tail, "partitions_of", counted)
        window = Window(100, 10**6, coalesced=False)
        task = asyncio.create_task(Tail(Settings(), {"signals": window}).run())
        try:
            await until(lambda: window.head == (5,))
            reader = Cursor(Wanted("default"), window.head, window.generation)
            assert window.join(reader)
            kafka.records = told(3)
            await until(lambda: window.generation > reader.generation)
            assert window.head == (3,), "what was there when it was found is the past of readers"
            kafka.records = told(4)
            await until(lambda: window.head == (4,))
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_a_reader_that_takes_slowly_keeps_no_other_from_the_past(monkeypatch) -> None:
    async def run() -> None:
        kafka = Kafka(40)
        monkeypatch.setattr(past, "AIOKafkaConsumer", kafka.consumer)
        monkeypatch.setattr(past, "_TURN_SECONDS", 0.05)
        before = KafkaPast(Settings(), "signals", asyncio.Semaphore(1))
        done: list[str] = []

        async def read(name: str, pause: float) -> None:
            cursor = Cursor(Wanted("default"), (0,), 1)
            offsets: list[int] = []
            while cursor.positions < (40,):
                async with aclosing(before.read(cursor, (40,))) as some:
                    async for each in some:
                        offsets += [one.event.offset for one in each]
                        await asyncio.sleep(pause)
            assert offsets == list(range(40))
            done.append(name)

        await asyncio.gather(read("slow", 0.03), read("quick", 0))
        assert done == ["quick", "slow"]
        assert kafka.consumers < 20, "a turn is longer than a record"

    asyncio.run(run())


def test_what_kafka_has_no_longer_is_said(monkeypatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(past, "AIOKafkaConsumer", Kafka(9, start=4).consumer)
        reading = KafkaPast(Settings(), "signals", asyncio.Semaphore(1))
        with pytest.raises(LostError):
            await anext(reading.read(Cursor(Wanted("default"), (3,), 1), (9,)))

    asyncio.run(run())
