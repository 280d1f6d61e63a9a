"""The publisher: sends whole outboxes, and returns once the broker has acknowledged all of their records.

aiokafka's `send` costs a future per record; `create_batch` and `send_batch` cost one per batch. The native core, where
it is chosen, builds whole batches (streams/runtime/record_batches.py). The producer is idempotent and waits for all
in-sync replicas. A failure raises, and the worker stops.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from schemas.kafka_client import client_options
from schemas.kafka_security import check_connection
from schemas.keys import partition_of
from schemas.settings import Settings
from streams.runtime.native_core import chosen_core
from streams.runtime.record_batches import native_batches

BATCH_BYTES: Final = 512 * 1024
#: Seconds without an acknowledgement after which the log warns of an outage, once per outage.
SLOW_ACK_SECONDS: Final = 10.0

log: Final = logging.getLogger("touchline.worker")

TopicPartition = tuple[str, int]
Headers = list[tuple[str, bytes]]  # aiokafka accepts a list only
#: Key, value and headers.
OutgoingRecord = tuple[bytes | None, bytes | None, Headers | None]


@dataclass(slots=True)
class Outbox:
    """Records to publish, by topic partition, in order."""

    partitions: Mapping[str, int]  #: topic → its number of partitions
    records: dict[TopicPartition, list[OutgoingRecord]] = field(default_factory=lambda: defaultdict(list))

    def add(self, topic: str, key: bytes, value: bytes | None, headers: Headers | None = None) -> None:
        """Append a record to the partition that its key determines. A value of None is a tombstone."""
        self.records[topic, partition_of(key, self.partitions[topic])].append((key, value, headers))

    def add_at(
        self, tp: TopicPartition, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """Append a record to a given partition. Changelog records go to the partition number of their input."""
        self.records[tp].append((key, value, headers))

    def extend(self, tp: TopicPartition, records: list[OutgoingRecord]) -> None:
        """Append records to a given partition: that of their keys."""
        if records:
            self.records[tp] += records

    def add_all(self, other: "Outbox") -> None:
        """Append the records of another outbox."""
        for tp, records in other.records.items():
            self.records[tp] += records


@dataclass(slots=True, eq=False)
class _Pending:
    """The records of one outbox for one topic partition, and the offsets that the broker assigned to them."""

    records: list[OutgoingRecord]
    done: asyncio.Future[tuple[int, int]]  #: resolves to the first and last offset
    _first: int = -1
    _next: int = -1
    _acknowledged: int = 0

    def acknowledge(self, offset: int, count: int) -> None:
        """Note that the next `count` records were assigned the offsets from `offset` on."""
        if offset != self._next:
            self._first = offset
        self._next = offset + count
        self._acknowledged += count
        if self._acknowledged == len(self.records) and not self.done.done():
            self.done.set_result((self._first, offset + count - 1))


class Publisher:
    """An idempotent producer that publishes outboxes.

    Each topic partition has one batch under way at most. Records that arrive meanwhile, from whichever agent, go into
    the next batch together. A broker under load answers slowly, and callers that took turns would wait for each
    other's answers. The records of one caller keep their order, provided that it awaits one `publish` before it calls
    the next.
    """

    def __init__(
        self, settings: Settings, client_id: str, took: Callable[[float], object] = lambda _: None
    ) -> None:
        """`took` is told how many seconds each publication took.

        Raises SettingsError if the settings do not say how to connect.
        """
        check_connection(settings)
        self._settings = settings
        self._took = took
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        #: a key for each topic partition with a running sender
        self._queued: dict[TopicPartition, list[_Pending]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._outage_logged = False
        #: when each publication under way began, the oldest first
        self._under_way: dict[object, float] = {}

    async def start(self) -> None:
        """Connect to the brokers."""
        self._producer = AIOKafkaProducer(
            **client_options(self._settings), client_id=self._client_id, acks="all",
            enable_idempotence=bool(self._settings.idempotent_producer),
            max_batch_size=BATCH_BYTES, max_request_size=4 * 1024 * 1024, request_timeout_ms=60_000,
        )  # fmt: skip
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect. Published records are acknowledged already."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def partitions(self, topics: tuple[str, ...]) -> dict[str, int]:
        """The number of partitions of each topic, 0 for one that is missing. Raises KafkaError."""
        assert self._producer is not None
        # all topics: to name one would create it on a broker with auto.create.topics.enable
        cluster = await self._producer.client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def publish(self, outbox: Outbox) -> dict[TopicPartition, tuple[int, int]]:
        """Publish all records of an outbox. Returns the first and last offset acknowledged for each topic partition.

        Where another producer wrote in between, the first offset is the one after its last record.

        Raises aiokafka.errors.KafkaError if the broker refuses a record.
        """
        if not outbox.records:
            return {}
        waiting = asyncio.get_running_loop().call_later(SLOW_ACK_SECONDS, self._warn_of_outage)
        publication = object()
        began = self._under_way[publication] = monotonic()
        try:
            offsets = await asyncio.gather(
                *(self._queue(tp, records) for tp, records in outbox.records.items())
            )
        finally:
            waiting.cancel()
            del self._under_way[publication]
        self._took(monotonic() - began)
        if self._outage_logged:
            self._outage_logged = False
            log.warning("Kafka acknowledges records again")
        return dict(zip(outbox.records, offsets, strict=True))

    def unacknowledged(self) -> tuple[int, float]:
        """How many records wait to be sent, and how many seconds the oldest publication waits; 0 if none does."""
        records = sum(len(one.records) for queue in self._queued.values() for one in queue)
        oldest = next(iter(self._under_way.values()), None)
        return records, 0.0 if oldest is None else monotonic() - oldest

    def _warn_of_outage(self) -> None:
        if not self._outage_logged:
            self._outage_logged = True
            log.warning(
                "Kafka at %s has acknowledged nothing for %.0f s: waiting for it, nothing is lost",
                self._settings.brokers, SLOW_ACK_SECONDS,
            )  # fmt: skip

    def _queue(self, tp: TopicPartition, records: list[OutgoingRecord]) -> asyncio.Future[tuple[int, int]]:
        one = _Pending(records, asyncio.get_running_loop().create_future())
        waiting = self._queued.get(tp)
        if waiting is None:
            self._queued[tp] = [one]
            sender = asyncio.create_task(self._send_queued(tp))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        else:
            waiting.append(one)
        return one.done

    async def _send_queued(self, tp: TopicPartition) -> None:
        """Send the queued records of a topic partition until its queue is empty."""
        while pending := self._queued[tp]:
            self._queued[tp] = []
            # a cancelled caller has lost its partition: its records must not be sent any more
            pending = [one for one in pending if not one.done.done()]
            try:
                await self._send(tp, pending)
            except BaseException as error:
                for one in (*pending, *self._queued[tp]):
                    if not one.done.done():
                        one.done.set_exception(error)
                del self._queued[tp]
                if not isinstance(error, Exception):
                    raise
                return
        del self._queued[tp]

    async def _send(self, tp: TopicPartition, pending: list[_Pending]) -> None:
        """Send in as few batches as possible, in order. Resolve a caller's future once its records are acknowledged."""
        producer = self._producer
        assert producer is not None
        topic, partition = tp
        lists = [one.records for one in pending]
        core = chosen_core()
        batches = (
            aiokafka_batches(producer, lists)
            if core is None
            else native_batches(core, lists, BATCH_BYTES, int(time() * 1000))
        )
        sent = [
            (await producer.send_batch(batch, topic, partition=partition), held) for batch, held in batches
        ]
        for acknowledged, held in sent:
            offset = (await acknowledged).offset
            for place, count in held:
                pending[place].acknowledge(offset, count)
                offset += count


def aiokafka_batches(
    producer: AIOKafkaProducer, lists: list[list[OutgoingRecord]]
) -> Iterator[tuple[Any, list[tuple[int, int]]]]:
    """Batches with the records of these lists, in order, built by aiokafka.

    Gives with each batch the places of the lists that have records in it, and how many.
    """
    batch, held = producer.create_batch(), Counter[int]()
    for place, records in enumerate(lists):
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                yield batch, list(held.items())
                batch, held = producer.create_batch(), Counter[int]()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
            held[place] += 1
    if held:
        yield batch, list(held.items())
