"""Reads the journey topics from their ends and tells the hub what changed. It keeps no offsets and no state."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas import topics
from schemas.encoding.codec import decode_as
from schemas.errors import ContractError, TouchlineError, UnavailableError
from schemas.headers import tombstone_version
from schemas.kafka_client import client_options, partition_counts, started
from schemas.kafka_probe import why_unreachable
from schemas.kafka_security import check_connection
from schemas.settings import Settings
from schemas.topics import Topic
from sinks.page.hub import Hub

#: Topics that the page listens to, with the kind of change that they tell of.
KINDS: Final[dict[Topic, str]] = {
    topics.JOURNEY_STATES: "states",
    topics.JOURNEY_SIGNALS: "signals",
    topics.PROFILE_CHANGES: "changes",
    topics.IDENTITY_ASSIGNMENTS: "assignments",
    topics.ACCOUNT_STATES: "accounts",
    topics.DEAD_LETTERS: "dead_letters",
}
_AGAIN_SECONDS: Final = 2.0  #: between two attempts to reach the broker or to find the topics
_CHECK_SECONDS: Final = 3.0  #: between two checks that the broker answers
_FETCH_MS: Final = 200
_RECORDS_AT_ONCE: Final = 500

log: Final = logging.getLogger("touchline.page")


class Tail:
    """Runs until it is cancelled; an outage of the broker is shown as such, and ends by itself."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        """Raise SettingsError if the settings do not say how to connect."""
        check_connection(settings)
        self._settings = settings
        self._hub = hub
        self._topics = {settings.topic(topic.name): (topic, kind) for topic, kind in KINDS.items()}

    async def run(self) -> None:
        """Listen, for ever."""
        while True:
            consumer = AIOKafkaConsumer(
                **client_options(self._settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="latest", fetch_max_wait_ms=_FETCH_MS,
            )  # fmt: skip
            try:
                async with started(consumer):
                    await self._listen(consumer)
            except (KafkaError, OSError, TimeoutError, TouchlineError) as error:
                if self._hub.health["kafka"]:
                    why = await asyncio.to_thread(why_unreachable, self._settings)
                    log.warning("Kafka at %s cannot be used: %s", self._settings.brokers, why or error)
                self._hub.set_health("kafka", well=False)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        """Read on until the broker does not answer; raises what the client raises then."""
        partitions = await self._partitions()
        if not partitions:
            raise UnavailableError("the topics are not there yet: create them with `touchline topics`")
        consumer.assign(partitions)
        await consumer.seek_to_end()
        self._hub.set_health("kafka", well=True)
        loop = asyncio.get_running_loop()
        check_at = loop.time() + _CHECK_SECONDS
        while True:
            fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_RECORDS_AT_ONCE)
            for partition, records in fetched.items():
                topic, kind = self._topics[partition.topic]
                for record in records:
                    tell(self._hub, topic, kind, record)
            if loop.time() >= check_at and not fetched:
                # a fetch from a broker that is away just returns nothing
                async with asyncio.timeout(_CHECK_SECONDS):
                    await consumer.end_offsets(partitions[:1])
                check_at = loop.time() + _CHECK_SECONDS

    async def _partitions(self) -> list[TopicPartition]:
        async with asyncio.timeout(_CHECK_SECONDS):
            counts = await partition_counts(self._settings)
        return [
            TopicPartition(name, number) for name in self._topics for number in range(counts.get(name, 0))
        ]


def tell(hub: Hub, topic: Topic, kind: str, record: "ConsumerRecord[bytes, bytes]") -> None:
    """Tell the hub of one record; one that cannot be read tells nothing: the loader rejects it."""
    read = _READERS.get(topic)
    if read is None:
        hub.note(kind, None)
        return
    try:
        read(hub, kind, record)
    except (ContractError, ValueError) as error:
        log.debug("a record of %s tells nothing", topic.name, exc_info=error)


def _state(hub: Hub, kind: str, record: "ConsumerRecord[bytes, bytes]") -> None:
    if record.value is None:
        tenant, _, profile = (record.key or b"").decode().partition("/")
        hub.note(kind, tenant, profile, version=tombstone_version(record), gone=True)
    else:
        state = decode_as("JourneyState", record.value)
        hub.note(kind, state["tenant"], state["profile_id"], version=state["version"])


def _signal(hub: Hub, kind: str, record: "ConsumerRecord[bytes, bytes]") -> None:
    signal = decode_as("JourneySignal", record.value)
    hub.note(kind, signal["tenant"], signal["profile_id"])


def _change(hub: Hub, kind: str, record: "ConsumerRecord[bytes, bytes]") -> None:
    change = decode_as("ProfileChanged", record.value)
    hub.note(kind, change["tenant"], change["profile_id"], *change["others"])


def _keyed(hub: Hub, kind: str, record: "ConsumerRecord[bytes, bytes]") -> None:
    """The key's tenant is all that a page needs to know of an assignment or an account."""
    hub.note(kind, (record.key or b"").decode().partition("/")[0])


_READERS: Final[dict[Topic, Callable[[Hub, str, Any], None]]] = {
    topics.JOURNEY_STATES: _state,
    topics.JOURNEY_SIGNALS: _signal,
    topics.PROFILE_CHANGES: _change,
    topics.IDENTITY_ASSIGNMENTS: _keyed,
    topics.ACCOUNT_STATES: _keyed,
}
