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


class Publisher:
    """An idempotent producer that publishes outboxes."""

    def __init__(self, brokers: str, client_id: str, *, idempotent: bool) -> None:
        self._brokers = brokers
        self._client_id = client_id
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        # one outbox after the other, so that a key's records keep their order across outboxes
        self._turn = asyncio.Lock()
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
        """How many partitions each topic has, asked from the broker."""
        assert self._producer is not None
        return {topic: len(await self._producer.partitions_for(topic)) for topic in topics}

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        """Publish everything; return the first and last offset acknowledged for each place.

        Raises aiokafka.errors.KafkaError when the broker does not take a record.
        """
        sent: list[tuple[Place, int, asyncio.Future[Any]]] = []
        waiting = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._complain)
        try:
            async with self._turn:
                for place, records in outbox.records.items():
                    await self._send(place, records, sent)
            acknowledged = await asyncio.gather(*(future for _, _, future in sent))
        finally:
            waiting.cancel()
        if self._complained and sent:
            self._complained = False
            log.warning("Kafka takes records again: going on")
        ends: dict[Place, tuple[int, int]] = {}
        for (place, count, _), metadata in zip(sent, acknowledged, strict=True):
            first = metadata.offset
            before = ends.get(place)
            ends[place] = (first if before is None else before[0], first + count - 1)
        return ends

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            log.warning(
                "Kafka at %s has acknowledged nothing for %.0f s: waiting, nothing is lost",
                self._brokers, PATIENCE_SECONDS,
            )  # fmt: skip

    async def _send(
        self, place: Place, records: list[OutgoingRecord], sent: list[tuple[Place, int, asyncio.Future[Any]]]
    ) -> None:
        producer = self._producer
        assert producer is not None
        topic, partition = place
        batch = producer.create_batch()
        for key, value, headers in records:
            if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                sent.append(
                    (
                        place,
                        batch.record_count(),
                        await producer.send_batch(batch, topic, partition=partition),
                    )
                )
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None, headers=headers)
        sent.append(
            (place, batch.record_count(), await producer.send_batch(batch, topic, partition=partition))
        )
