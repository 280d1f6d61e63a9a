"""The worker's publisher on real brokers: what many publish at once arrives whole, in order, where they are told."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition

from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Broker
from schemas import topics
from schemas.settings import Settings
from streams.runtime.publisher import BATCH_BYTES, Outbox, Publisher, TopicPartition

PARTITIONS = 2
CALLERS = 20
ROUNDS = 5


@pytest.fixture
def settings(broker: Broker) -> Settings:
    """Touchline's topics on the broker, to which nobody else writes."""
    found = Settings(
        brokers=broker.address, topic_prefix=f"{uuid4().hex[:10]}.", partitions=PARTITIONS,
        idempotent_producer=int(broker.idempotent),
    )  # fmt: skip
    create_topics(found)
    return found


@asynccontextmanager
async def publisher_of(settings: Settings) -> AsyncIterator[Publisher]:
    publisher = Publisher(settings, "test")
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


def place_of(settings: Settings, partition: int = 0) -> TopicPartition:
    return settings.topic(topics.JOURNEY_INPUTS.name), partition


def outbox_of(records: dict[TopicPartition, list[bytes]]) -> Outbox:
    outbox = Outbox({})
    for place, values in records.items():
        for value in values:
            outbox.add_at(place, b"key", value)
    return outbox


def stored(settings: Settings, place: TopicPartition, count: int) -> dict[int, bytes]:
    """The first so many records of a partition by offset, and whatever follows them."""
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, enable_auto_commit=False)
    partition = KafkaPartition(*place)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found: dict[int, bytes] = {}
    deadline = time.monotonic() + 20
    more = True
    while more or (len(found) < count and time.monotonic() < deadline):
        fetched = consumer.poll(timeout_ms=300).get(partition, [])
        found |= {record.offset: record.value for record in fetched}
        more = bool(fetched)
    consumer.close()
    return found


def test_callers_at_once_are_told_where_their_records_are_and_each_keeps_its_order(
    settings: Settings,
) -> None:
    places = [place_of(settings, partition) for partition in range(PARTITIONS)]
    told: dict[TopicPartition, dict[int, bytes]] = defaultdict(dict)
    offsets: dict[tuple[int, TopicPartition], list[int]] = defaultdict(list)

    async def caller(publisher: Publisher, number: int) -> None:
        for turn in range(ROUNDS):
            records = {
                place: [b"%d %d %d" % (number, turn, item) for item in range(number + 1)] for place in places
            }
            for place, (first, last) in (await publisher.publish(outbox_of(records))).items():
                assert last - first == number
                told[place] |= dict(zip(range(first, last + 1), records[place], strict=True))
                offsets[number, place].append(first)

    async def play() -> None:
        async with publisher_of(settings) as publisher:
            await asyncio.gather(*(caller(publisher, number) for number in range(CALLERS)))

    asyncio.run(play())
    for place in places:
        assert stored(settings, place, len(told[place])) == told[place]
    assert all(firsts == sorted(firsts) for firsts in offsets.values())


def test_an_outbox_larger_than_a_batch_arrives_in_order(settings: Settings) -> None:
    place = place_of(settings)
    values = [b"%06d" % number + bytes(BATCH_BYTES // 10) for number in range(35)]

    async def play() -> tuple[int, int]:
        async with publisher_of(settings) as publisher:
            return (await publisher.publish(outbox_of({place: values})))[place]

    first, last = asyncio.run(play())
    assert [value for _, value in sorted(stored(settings, place, len(values)).items())] == values
    assert (first, last) == (0, len(values) - 1)


def test_nothing_of_a_caller_that_was_cancelled_while_it_waited_comes_after(settings: Settings) -> None:
    place = place_of(settings)

    async def play() -> None:
        async with publisher_of(settings) as publisher:
            first = asyncio.create_task(publisher.publish(outbox_of({place: [b"first"]})))
            await asyncio.sleep(0)
            waiting = asyncio.create_task(publisher.publish(outbox_of({place: [b"cancelled"]})))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(first, waiting, return_exceptions=True)
            await publisher.publish(outbox_of({place: [b"last"]}))

    asyncio.run(play())
    assert list(stored(settings, place, 2).values()) == [b"first", b"last"]


def test_a_record_that_the_broker_refuses_is_raised_to_its_caller_and_the_next_one_goes_on(
    settings: Settings,
) -> None:
    place = place_of(settings)
    nowhere = settings.topic(topics.JOURNEY_INPUTS.name), PARTITIONS + 7

    async def play() -> None:
        async with publisher_of(settings) as publisher:
            with pytest.raises(AssertionError):
                await publisher.publish(outbox_of({nowhere: [b"lost"], place: [b"beside"]}))
            await publisher.publish(outbox_of({place: [b"next"]}))

    asyncio.run(play())
    assert list(stored(settings, place, 2).values()) == [b"beside", b"next"]
