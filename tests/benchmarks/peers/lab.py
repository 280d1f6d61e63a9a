"""What all systems share in a run: broker, ClickHouse, the events' encoded form, and a reader of published states."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer
from clickhouse_driver import Client
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from deploy.ingest.publisher import message
from deploy.sandbox import ClickHouseServer, KafkaBroker
from schemas.catalogue import Catalogue
from schemas.keys import partition_of
from schemas.records import Touchpoint
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect
from streams.identity.policy.policy import IdentityPolicy
from tests.benchmarks.peers.contract import tables_of
from tests.benchmarks.peers.workload import cookie_of
from tests.support.built_in import CATALOGUE

PARTITIONS: Final = 4
DATABASE: Final = "peers"
BATCH_BYTES: Final = 256 * 1024
#: Between the moment when the controller says that a new partition has a leader, and the leader's knowing it.
LEADER_SECONDS: Final = 1.0

#: Key and value.
Message = tuple[bytes, bytes]


@dataclass(frozen=True)
class Encoded:
    """One touchpoint's record: the same value for everybody, each with the key that its users would take."""

    value: bytes
    touchline_key: bytes
    cookie: bytes


def encoded(events: Iterable[Touchpoint], policy: IdentityPolicy) -> list[Encoded]:
    """The records of touchpoints, in order."""
    found = []
    for event in events:
        key, value = message(event, policy, CATALOGUE)
        found.append(Encoded(value, key, cookie_of(event).encode()))
    return found


class Lab:
    """Kafka and ClickHouse on this machine; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = KafkaBroker(folder / "kafka", folder)
        self.clickhouse = ClickHouseServer(folder / "clickhouse", folder)
        self.catalogue = Catalogue.load()
        self.meanings = folder / "catalogue.json"

    def __enter__(self) -> "Lab":
        self.meanings.write_text(json.dumps(meanings_of(self.catalogue)))
        self.clickhouse.start()
        try:
            self.broker.start()
            with connected(self.clickhouse.url) as client:
                client.execute(f"CREATE DATABASE {DATABASE}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.broker.stop()
        self.clickhouse.stop()

    def make_tables(self, prefix: str) -> None:
        """The tables of a peer."""
        with connected(self.clickhouse.url) as client:
            for name, definition in tables_of(prefix).items():
                client.execute(f"CREATE TABLE {DATABASE}.{name} {definition}")

    def make_topics(self, names: Iterable[str]) -> None:
        """Topics without a record, also where there were some."""
        admin = KafkaAdminClient(bootstrap_servers=self.broker.address)
        try:
            old = [name for name in names if name in admin.list_topics()]
            if old:
                admin.delete_topics(old)
                while set(old) & set(admin.list_topics()):
                    time.sleep(0.1)
            admin.create_topics(
                {name: {"num_partitions": PARTITIONS, "replication_factor": 1} for name in names}
            )
            admin.wait_for_topics(list(names))
            time.sleep(LEADER_SECONDS)
        finally:
            admin.close()

    def publish(self, topic: str, messages: list[Message], before: Callable[[], None]) -> None:
        """Publish as fast as Kafka takes it, in large batches made beforehand; `before` is called once they are."""
        asyncio.run(_publish(self.broker.address, topic, messages, before))


class connected:  # noqa: N801 (used like contextlib.closing)
    """A connection to ClickHouse's default database."""

    def __init__(self, url: str) -> None:
        self._client = connect(ClickHouse.from_url(url), use=False)

    def __enter__(self) -> Client:
        return self._client

    def __exit__(self, *exception: object) -> None:
        self._client.disconnect()


class LastValues:
    """Follows a compacted topic: the newest value of each key."""

    def __init__(self, brokers: str, topic: str, partitions: int = PARTITIONS) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=brokers, enable_auto_commit=False, auto_offset_reset="earliest", group_id=None
        )
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._consumer.assign(self._places)
        self.values: dict[str, bytes] = {}
        self.records = 0

    def read(self) -> dict[str, bytes]:
        """Read to the present end; returns the newest values of what was read now."""
        news: dict[str, bytes] = {}
        ends = self._consumer.end_offsets(self._places)
        while any(self._consumer.position(place) < end for place, end in ends.items()):
            for records in self._consumer.poll(timeout_ms=100, max_records=10_000).values():
                self.records += len(records)
                news.update((record.key.decode(), record.value) for record in records)
        self.values |= news
        return news

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def meanings_of(catalogue: Catalogue) -> dict[str, object]:
    """What PEER_CATALOGUE holds."""
    return {
        "types": {
            name: {
                "stage": kind.stage, "friction": kind.friction,
                "order": kind.effect == "order_placed", "internal": kind.direction == "internal",
            }
            for name, kind in catalogue.types.items()
        }
    }  # fmt: skip


async def _publish(brokers: str, topic: str, messages: list[Message], before: Callable[[], None]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, acks="all", max_batch_size=BATCH_BYTES, max_request_size=8 * BATCH_BYTES
    )
    await producer.start()
    try:
        batches = []
        open_batches = {number: producer.create_batch() for number in range(PARTITIONS)}
        for key, value in messages:
            partition = partition_of(key, PARTITIONS)
            if open_batches[partition].append(key=key, value=value, timestamp=None) is None:
                batches.append((partition, open_batches[partition]))
                open_batches[partition] = producer.create_batch()
                open_batches[partition].append(key=key, value=value, timestamp=None)
        batches += open_batches.items()
        before()
        sent = [await producer.send_batch(batch, topic, partition=partition) for partition, batch in batches]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
