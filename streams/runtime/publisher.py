"""Publish many records at once, and return only when the broker has them all.

aiokafka's `send` costs a future a record; `create_batch`/`send_batch` one a batch. The producer is
idempotent and waits for all in-sync replicas; a failure raises, and the worker crashes rather than go on.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from schemas.keys import partition_of

BATCH_BYTES: Final = 512 * 1024
#: Without an acknowledgement for this long the log says so, once an outage.
PATIENCE_SECONDS: Final = 10.0

log: Final = logging.getLogger("touchline.worker")

Place = tuple[str, int]  #: topic, partition
Headers = list[tuple[str, bytes]]  # aiokafka takes a list, nothing else
OutgoingRecord = tuple[bytes | None, bytes | None, Headers | None]


@dataclass(slots=True)
class Outbox:
    """Records waiting to be published, in order, by place."""

    partitions: Mapping[str, int]  #: topic → its number of partitions
    records: dict[Place, list[OutgoingRecord]] = field(default_factory=lambda: defaultdict(list))

    def add(self, topic: str, key: bytes, value: bytes | None, headers: Headers | None = None) -> None:
        """Add a record on the partition that its key decides; a value of None is a tombstone."""
        self.records[topic, partition_of(key, self.partitions[topic])].append((key, value, headers))

    def add_at(
        self, place: Place, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """Add a record on a given partition (changelogs follow their source's partition)."""
        self.records[place].append((key, value, headers))

    def add_all(self, other: "Outbox") -> None:
        """Add what another outbox has, behind what is here."""
        for place, records in other.records.items():
            self.records[place] += records


@dataclass(slots=True, eq=False)
class _Part:
    """The records of one outbox for one place, and which offsets they got."""

    records: list[OutgoingRecord]
    done: asyncio.Future[tuple[int, int]]  #: the first and last offset
    _first: int = -1
    _acknowledged: int = 0

    def acknowledge(self, offset: int, count: int) -> None:
        """Note that the next `count` records got the offsets from `offset` on."""
        if self._first < 0:
            self._first = offset
        self._acknowledged += count
        if self._acknowledged == len(self.records) and not self.done.done():
            self.done.set_result((self._first, offset + count - 1))


class Publisher:
    """An idempotent producer that publishes outboxes.

    What comes for a place while a batch is on its way there goes together into the next one, whoever it is from: a
    broker under load answers slowly, and callers that took turns would wait for each other's answers. Records of one
    caller keep their order, as long as it awaits one outbox before it publishes the next.
    """

    def __init__(self, brokers: str, client_id: str, *, idempotent: bool) -> None:
        self._brokers = brokers
        self._client_id = client_id
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self._waiting: dict[Place, list[_Part]] = {}  #: of the places that are being served
        self._serving: set[asyncio.Task[None]] = set()
        self._complained = False

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._brokers, client_id=self._client_id, acks="all", enable_idempotence=self._idempotent,
            max_batch_size=BATCH_BYTES, max_request_size=4 * 1024 * 1024, request_timeout_ms=60_000,
        )  # fmt: skip
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect; what was published is acknowledged already."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def partitions(self, topics: tuple[str, ...]) -> dict[str, int]:
        """How many partitions each of these topics has, 0 for one that does not exist. Raises KafkaError."""
        assert self._producer is not None
        # all topics: to name one would create it on a broker with auto.create.topics.enable
        cluster = await self._producer.client.fetch_all_metadata()
        return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        """Publish everything; return the first and last offset acknowledged for each place.

        Raises aiokafka.errors.KafkaError when the broker does not take a record.
        """
        if not outbox.records:
            return {}
        waiting = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._complain)
        try:
            offsets = await asyncio.gather(
                *(self._queue(place, records) for place, records in outbox.records.items())
            )
        finally:
            waiting.cancel()
        if self._complained:
            self._complained = False
            log.warning("Kafka takes records again: going on")
        return dict(zip(outbox.records, offsets, strict=True))

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            log.warning(
                "Kafka at %s has acknowledged nothing for %.0f s: waiting, nothing is lost",
                self._brokers, PATIENCE_SECONDS,
            )  # fmt: skip

    def _queue(self, place: Place, records: list[OutgoingRecord]) -> asyncio.Future[tuple[int, int]]:
        part = _Part(records, asyncio.get_running_loop().create_future())
        waiting = self._waiting.get(place)
        if waiting is None:
            self._waiting[place] = [part]
            serving = asyncio.create_task(self._serve(place))
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)
        else:
            waiting.append(part)
        return part.done

    async def _serve(self, place: Place) -> None:
        """Send what waits for a place until nothing does."""
        while parts := self._waiting[place]:
            self._waiting[place] = []
            # whoever was cancelled before has lost its partition: nothing of it may come after
            parts = [part for part in parts if not part.done.done()]
            try:
                await self._send(place, parts)
            except BaseException as error:
                for part in (*parts, *self._waiting[place]):
                    if not part.done.done():
                        part.done.set_exception(error)
                del self._waiting[place]
                if not isinstance(error, Exception):
                    raise
                return
        del self._waiting[place]

    async def _send(self, place: Place, parts: list[_Part]) -> None:
        """Send parts as few batches, one after the other, and resolve each part when the broker has all of it."""
        producer = self._producer
        assert producer is not None
        topic, partition = place
        sent: list[tuple[asyncio.Future[Any], defaultdict[_Part, int]]] = []
        batch, held = producer.create_batch(), defaultdict[_Part, int](int)
        for part in parts:
            for key, value, headers in part.records:
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    sent.append((await producer.send_batch(batch, topic, partition=partition), held))
                    batch, held = producer.create_batch(), defaultdict[_Part, int](int)
                    batch.append(key=key, value=value, timestamp=None, headers=headers)
                held[part] += 1
        if held:
            sent.append((await producer.send_batch(batch, topic, partition=partition), held))
        for acknowledged, held in sent:
            offset = (await acknowledged).offset
            for part, count in held.items():
                part.acknowledge(offset, count)
                offset += count
