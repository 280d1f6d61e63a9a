"""aiokafka obeys the two private fields that the fetch thread sets: it has no public setting for them.

A stub of the broker answers each fetch request for partition 0 with one record, which nobody reads, and has nothing for
partition 1.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.fetch import FetchRequest_v4
from aiokafka.record.default_records import DefaultRecordBatchBuilder

FULL, EMPTY = TopicPartition("touchpoints", 0), TopicPartition("touchpoints", 1)
#: How long the consumer runs: long enough for several fetch requests, and less than aiokafka's own backoff of 0.1 s.
SECONDS = 0.03


def records() -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1024,
    )  # fmt: skip
    builder.append(0, timestamp=0, key=b"key", value=b"value", headers=[])
    return bytes(builder.build())


class Broker:
    """Notes the fetch requests, and answers them."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    async def send(self, _: int, request: Any) -> Any:
        self.requests.append(request)
        await asyncio.sleep(0)
        answers = [
            (tp.partition, 0, 1, 1, [], records() if tp.partition == FULL.partition else b"")
            for topic, parts in request.topics
            for tp in (TopicPartition(topic, part) for part, *_ in parts)
        ]
        return SimpleNamespace(API_VERSION=4, topics=[(FULL.topic, answers)])


async def fetching(monkeypatch: pytest.MonkeyPatch, *, wait_ms: int, backoff: float) -> Broker:
    """A consumer whose private fields are set as the fetch thread sets them, run for a moment."""
    broker = Broker()
    consumer = AIOKafkaConsumer(group_id=None, enable_auto_commit=False)
    client = consumer._client  # aiokafka's

    async def nothing(*_: Any) -> None: ...

    monkeypatch.setattr(client, "bootstrap", nothing)
    monkeypatch.setattr(client, "send", broker.send)
    monkeypatch.setattr(client.cluster, "leader_for_partition", lambda _: 0)
    consumer._fetch_max_wait_ms = wait_ms  # aiokafka's
    await consumer.start()
    consumer._fetcher._prefetch_backoff = backoff  # aiokafka's
    consumer.assign([FULL, EMPTY])
    for tp in (FULL, EMPTY):
        consumer.seek(tp, 0)
    try:
        await asyncio.sleep(SECONDS)
    finally:
        await consumer.stop()
    return broker


def test_aiokafka_takes_the_longest_fetch_from_where_we_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = asyncio.run(fetching(monkeypatch, wait_ms=7, backoff=60.0))
    assert broker.requests[0].build(FetchRequest_v4).max_wait_time == 7


@pytest.mark.parametrize(
    ("backoff", "asked_again"),
    [
        pytest.param(
            0.001, True, id="a short backoff: partition 1 is soon asked for again, despite the unread record"
        ),
        pytest.param(60.0, False, id="a long backoff: the unread record holds up partition 1"),
    ],
)
def test_aiokafka_takes_the_backoff_from_where_we_set_it(
    monkeypatch: pytest.MonkeyPatch, backoff: float, asked_again: bool
) -> None:
    broker = asyncio.run(fetching(monkeypatch, wait_ms=7, backoff=backoff))
    assert (len(broker.requests) > 1) is asked_again
