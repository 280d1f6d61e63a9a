"""The outbox in Kafka: a compacted topic whose partitions go with those of journey-signals, and the delivery log.

So the outbox survives its instance: whoever gets a partition reads what is still to be told there. A crash between a
receiver's confirmation and the record of it repeats the message, under the same webhook_id.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.encoding.record_types import WEBHOOK_DELIVERY, WEBHOOK_MESSAGE
from schemas.errors import ContractError, UnavailableError
from schemas.kafka_client import client_options, started, stop_client
from schemas.keys import profile_key
from schemas.records import WebhookDelivery, WebhookMessage
from schemas.settings import Settings
from sinks.webhooks.message import Key
from sinks.webhooks.outbox import Outbox

_SEPARATOR: Final = "\x1f"
AGAIN_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 10.0
_FETCH_MS: Final = 200
_STOP_SECONDS: Final = 5.0  #: for what is under way to the broker when the service stops
_LINGER_MS: Final = 2
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024

log: Final = logging.getLogger("touchline.webhooks")

Change = tuple[Key, WebhookMessage | None]


class RevokedError(Exception):
    """The partition belongs to another instance now. Response: leave its messages alone."""


def key_of(key: Key) -> bytes:
    """The Kafka key of a message. Parts are separated by a character that none of them may hold."""
    person = key.person
    whose = profile_key(person.tenant, person.profile_id).decode()
    return _SEPARATOR.join((whose, person.endpoint, key.subject)).encode()


class Changelog:
    """Writes and reads the outboxes of this instance's partitions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._messages = settings.topic(topics.WEBHOOKS_CHANGELOG.name)
        self._deliveries = settings.topic(topics.WEBHOOK_DELIVERIES.name)
        self._producer: AIOKafkaProducer = None

    async def start(self) -> None:
        """Connect. Raises KafkaError."""
        self._producer = AIOKafkaProducer(
            **client_options(self._settings), acks="all", linger_ms=_LINGER_MS,
            enable_idempotence=bool(self._settings.idempotent_producer), max_request_size=MAX_REQUEST_BYTES,
        )  # fmt: skip
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await stop_client(self._producer)

    async def write(
        self, partition: int, changes: Sequence[Change], deliveries: Sequence[WebhookDelivery]
    ) -> None:
        """Write the log, then the changelog: whatever is written twice after a crash is the same. Raises KafkaError."""
        await self._send(
            self._deliveries,
            partition,
            [
                (profile_key(one["tenant"], one["profile_id"]), WEBHOOK_DELIVERY.encode(one))
                for one in deliveries
            ],
        )
        await self._send(
            self._messages,
            partition,
            [
                (key_of(key), None if record is None else WEBHOOK_MESSAGE.encode(record))
                for key, record in changes
            ],
        )

    async def read(self, partition: int) -> list[WebhookMessage]:
        """What the changelog of a partition holds now. Raises KafkaError, TimeoutError or UnavailableError.

        Of a message the highest version counts. An instance that was stopped, and does not know that it has lost the
        partition, may have written an older one behind it: then the newer one is written again, before compaction.
        """
        consumer = AIOKafkaConsumer(
            **client_options(self._settings), group_id=None, enable_auto_commit=False,
            fetch_max_wait_ms=_FETCH_MS,
        )  # fmt: skip
        place = TopicPartition(self._messages, partition)
        found: dict[bytes, tuple[WebhookMessage, bytes]] = {}
        hidden: set[bytes] = set()
        async with started(consumer):
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            async with asyncio.timeout(_ANSWER_SECONDS):
                end = (await consumer.end_offsets([place]))[place]
            while await consumer.position(place) < end:
                async with asyncio.timeout(_ANSWER_SECONDS * 3):
                    fetched = await consumer.getmany(place, timeout_ms=_FETCH_MS)
                for record in fetched.get(place, ()):
                    hidden.discard(record.key)
                    if record.value is None:
                        found.pop(record.key, None)
                    elif (message := _decoded(record.value)) is not None:
                        known = found.get(record.key)
                        if known is None or known[0]["version"] <= message["version"]:
                            found[record.key] = message, record.value
                        else:
                            hidden.add(record.key)
        await self._send(self._messages, partition, [(key, found[key][1]) for key in hidden])
        return [message for message, _ in found.values()]

    async def _send(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        sent: list[Any] = [
            await self._producer.send(topic, value=value, key=key, partition=partition)
            for key, value in records
        ]
        await asyncio.gather(*sent)


def _decoded(value: bytes) -> WebhookMessage | None:
    try:
        return WEBHOOK_MESSAGE.decode(value)
    except ContractError as error:
        log.error("a record of the webhooks changelog is left out: %s", error)  # noqa: TRY400 (no bug of ours)
        return None


class Partition:
    """The outbox of one partition, and its way to Kafka: what changes while a write is under way goes with the next."""

    def __init__(
        self,
        number: int,
        outbox: Outbox,
        changelog: Changelog,
        logged: Callable[[WebhookDelivery], None],
        written: Callable[[], None],
    ) -> None:
        """`logged` is told of each delivery, `written` after each write: messages may be due then."""
        self.number = number
        self.outbox = outbox
        self.revoked = False  #: nothing is claimed any more
        self.attempts: set[asyncio.Task[None]] = set()
        self._changelog = changelog
        self._logged = logged
        self._written = written
        self._next: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.failure: UnavailableError | None = None  #: why nothing can be written any more: a bug

    async def flush(self) -> None:
        """Wait until everything that has changed so far is in Kafka.

        Raises RevokedError if it never will be since the partition has gone, UnavailableError if this process must end.
        """
        if self._closed:
            raise RevokedError
        if self.failure is not None:
            raise self.failure
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write())
        await asyncio.shield(self._next)

    async def close(self, seconds: float) -> None:
        """Write nothing any more. A write that is under way gets so long to end, and is not repeated if it fails."""
        self._closed = True
        if self._writer is not None and not self._writer.done():
            await asyncio.wait((self._writer,), timeout=seconds)

    async def _write(self) -> None:
        while self._next is not None:
            waiting, self._next = self._next, None
            try:
                await self._put()
            except RevokedError as error:
                _end(waiting, error)
            except Exception as error:
                # what has changed is lost to this process: the next one reads it again, since no offset is committed
                log.exception("the outbox of partition %d cannot be written", self.number)
                self.failure = UnavailableError(f"the outbox of webhooks cannot be written: {error}")
                _end(waiting, self.failure)
            else:
                _end(waiting, None)

    async def _put(self) -> None:
        """Write what has changed, as often as it takes."""
        changes, deliveries = self.outbox.drain()
        for one in deliveries:
            self._logged(one)
        while True:
            try:
                await self._changelog.write(self.number, changes, deliveries)
            except KafkaError as error:
                if self._closed:
                    raise RevokedError from error
                log.warning("the outbox cannot be written, it is tried again: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self.outbox.written()
                self._written()
                return


def _end(waiting: "asyncio.Future[None]", error: Exception | None) -> None:
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(error)
        waiting.exception()  # nobody need wait for it
