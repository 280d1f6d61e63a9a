"""Where topics begin and end, as a broker says it now."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from schemas import topics
from schemas.errors import UnavailableError
from schemas.kafka_client import partition_counts
from schemas.settings import Settings
from schemas.topics import Topic
from schemas.version_bounds import VersionBounds

ANSWER_SECONDS: Final = 10.0  #: for the broker to answer a question
_FETCH_MS: Final = 2000

#: Topics whose offsets are versions: no version is beyond their ends (schemas/version_bounds.py).
_COUNTED: Final = (topics.JOURNEY_INPUTS, topics.IDENTITY_LINKS, topics.ACCOUNT_INPUTS)


async def partitions_of(settings: Settings, wanted: Iterable[Topic]) -> dict[TopicPartition, Topic]:
    """All partitions of topics. Raises UnavailableError if a topic is missing, TimeoutError without an answer."""
    async with asyncio.timeout(ANSWER_SECONDS):
        counts = await partition_counts(settings)
    found: dict[TopicPartition, Topic] = {}
    for topic in wanted:
        name = settings.topic(topic.name)
        if not counts.get(name):
            raise UnavailableError(f"topic {name} is not there yet: create it with `touchline topics`")
        found.update({TopicPartition(name, number): topic for number in range(counts[name])})
    return found


async def made_anew(
    consumer: AIOKafkaConsumer, read: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> TopicPartition | None:
    """A partition that ends before what was read of it: another one by the same name. None if there is none.

    `consumer` has these partitions and stands somewhere in each. Of the doubtful ones it has read on afterwards: seek.
    Where a fetch says something else than the question for the ends, it is right (deploy/kafka_admin/lag.py).
    Raises UnavailableError if the broker does not say.
    """
    for one, at in read.items():
        if at <= ends[one]:
            continue
        consumer.seek(one, at)
        try:
            await consumer.getmany(one, timeout_ms=_FETCH_MS, max_records=1)
        except OffsetOutOfRangeError:
            return one
        end = consumer.highwater(one)
        if end is None:
            raise UnavailableError("Kafka does not answer now")
        if end < at:
            return one
    return None


class Ends:
    """Where the followed topics end, and which versions can exist. `look` asks the broker."""

    def __init__(self, consumer: AIOKafkaConsumer, epoch: int, followed: dict[TopicPartition, Topic]) -> None:
        self._consumer = consumer
        self._epoch = epoch
        self._counted: dict[TopicPartition, Topic] = {}
        self.followed = followed
        self.starts: dict[TopicPartition, int] = {}  #: the first offset of each followed partition
        self.ends: dict[TopicPartition, int] = {}  #: the offset after the last record
        self.bounds = VersionBounds(epoch, 1)

    @classmethod
    async def of(cls, consumer: AIOKafkaConsumer, settings: Settings, wanted: Iterable[Topic]) -> "Ends":
        """The ends of topics, looked at once. Raises what `partitions_of` raises."""
        ends = cls(consumer, settings.epoch, await partitions_of(settings, wanted))
        ends._counted = await partitions_of(settings, _COUNTED)
        inputs = sum(topic is topics.JOURNEY_INPUTS for topic in ends._counted.values())
        ends.bounds = VersionBounds(settings.epoch, inputs)
        async with asyncio.timeout(ANSWER_SECONDS):
            ends.starts = await consumer.beginning_offsets(list(ends.followed))
        await ends.look()
        return ends

    async def look(self) -> None:
        """Ask where the topics end now. Raises KafkaError, or TimeoutError without an answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await self._consumer.end_offsets([*self.followed, *self._counted])
        self.ends = {place: found[place] for place in self.followed}
        self.bounds.learn(
            {(topic.name, place.partition): found[place] for place, topic in self._counted.items()}
        )
