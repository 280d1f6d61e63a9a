"""Reads the topics of signals and of changes from their ends into the windows of their streams."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.errors import ContractError, TouchlineError, UnavailableError
from schemas.kafka_client import client_options, started
from schemas.settings import Settings
from sinks.subscribers.events import READERS, TOPICS
from sinks.subscribers.table.ends import ANSWER_SECONDS, made_anew, partitions_of
from sinks.subscribers.window import Vector, Window

AGAIN_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 3.0  #: between two checks that the broker answers
_FETCH_MS: Final = 100
_AT_ONCE: Final = 500

log: Final = logging.getLogger("touchline.subscribers")


class Tail:
    """Runs until it is cancelled; after an outage of the broker it reads on where it was. One event loop."""

    def __init__(self, settings: Settings, windows: Mapping[str, Window]) -> None:
        """`windows`: stream → its window, of the streams in READERS."""
        self._settings = settings
        self._windows = windows
        self._streams = {settings.topic(TOPICS[stream].name): stream for stream in windows}
        self._consumer: AIOKafkaConsumer | None = None
        self._places: list[TopicPartition] = []  #: what it reads
        self._asked: list[TopicPartition] = []  #: what it is asked about: all streams

    async def run(self) -> None:
        """Listen, for ever."""
        while True:
            consumer = AIOKafkaConsumer(
                **client_options(self._settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="none", fetch_max_wait_ms=_FETCH_MS,
            )  # fmt: skip
            try:
                async with started(consumer):
                    await self._listen(consumer)
            except (KafkaError, OSError, TimeoutError, TouchlineError) as error:
                log.info("signals and changes cannot be read: %s", error)
            finally:
                self._consumer = None
            await asyncio.sleep(AGAIN_SECONDS)

    async def bounds(self, stream: str) -> tuple[Vector, Vector]:
        """For each partition of a stream the first offset that Kafka has, and the one after the last.

        Raises UnavailableError if Kafka does not answer.
        """
        consumer = self._consumer
        topic = self._settings.topic(TOPICS[stream].name)
        places = [one for one in self._asked if one.topic == topic]
        if consumer is None or not places:
            raise UnavailableError("Kafka does not answer now")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                starts = await consumer.beginning_offsets(places)
                ends = await consumer.end_offsets(places)
        except (KafkaError, OSError, TimeoutError) as error:
            raise UnavailableError("Kafka does not answer now") from error
        return tuple(starts[one] for one in places), tuple(ends[one] for one in places)

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        topics = [TOPICS[stream] for stream in self._windows]
        self._places = sorted(await partitions_of(self._settings, topics))
        self._asked = sorted(await partitions_of(self._settings, TOPICS.values()))
        consumer.assign(self._places)
        await self._begin(consumer)
        self._consumer = consumer
        loop = asyncio.get_running_loop()
        check_at = loop.time() + CHECK_SECONDS
        while True:
            fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_AT_ONCE)
            for place, records in fetched.items():
                self._tell(self._streams[place.topic], records)
            if loop.time() >= check_at:
                # a fetch from a broker that is away just returns nothing
                async with asyncio.timeout(ANSWER_SECONDS):
                    await consumer.end_offsets(self._places[:1])
                check_at = loop.time() + CHECK_SECONDS

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """At the ends for the first time, else where each window is."""
        async with asyncio.timeout(ANSWER_SECONDS):
            starts = await consumer.beginning_offsets(self._places)
            ends = await consumer.end_offsets(self._places)
        for place in self._places:
            consumer.seek(place, ends[place])
        for stream, window in self._windows.items():
            places = [one for one in self._places if self._streams[one.topic] == stream]
            read = dict(zip(places, window.head, strict=False))
            lost = any(at < starts[one] for one, at in read.items()) or await made_anew(consumer, read, ends)
            if lost:
                log.warning("the topic of %s was made anew, or is behind its retention: streams end", stream)
            if lost or len(window.head) != len(places):
                window.open([ends[one] for one in places])
            for one, at in zip(places, window.head, strict=True):
                consumer.seek(one, at)

    def _tell(self, stream: str, records: list[object]) -> None:
        window, read = self._windows[stream], READERS[stream]
        events, positions = [], list(window.head)
        for record in records:
            positions[record.partition] = record.offset + 1  # type: ignore[attr-defined]
            try:
                events.append(read(record))  # type: ignore[arg-type]
            except ContractError as error:
                log.debug("a record of %s tells nothing: %s", stream, error)  # the loader accounts for it
        window.add(events, positions)
