"""How far each consumer group is behind, partition by partition, on any broker.

Tansu answers ListOffsets (latest) with the base offset of the last *batch* plus one, which is below the end of the log
if that batch holds several records. The high watermark of its Fetch responses is right. OffsetReader therefore fetches
at the offset that ListOffsets gives, and takes the high watermark as the end. This is right on every broker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from deploy.kafka_admin.client import broken, connect, consumer, fetched_ends
from deploy.kafka_admin.topics import partition_counts
from schemas.settings import Settings
from schemas.topics import ALL, LOADER_GROUP, WORKER_GROUP, Topic
from sinks.clickhouse.erasure.barrier import Position, Positions

_AGENTS: Final = {"stitch", "identity", "journeys", "accounts"}


@dataclass(frozen=True)
class Backlog:
    """The backlog of one group in one topic; offsets are summed over the partitions."""

    topic: str
    end: int  #: records ever written
    done: int  #: records that the group committed, or that retention removed before it came
    lag: int  #: records to go

    @property
    def idle(self) -> bool:
        """Whether the group has nothing left to read."""
        return self.lag == 0


#: Consumer group → its topics. Names are those of schemas.topics, without the deployment's prefix.
Backlogs = dict[str, list[Backlog]]


def groups() -> dict[str, list[Topic]]:
    """Which topics each consumer group reads (changelogs apart: recovery reads those without a group)."""
    sources = [topic for topic in ALL if not topic.name.endswith("-changelog")]
    return {
        WORKER_GROUP: [topic for topic in sources if _AGENTS & set(topic.read_by)],
        LOADER_GROUP: [topic for topic in sources if "loader" in topic.read_by],
    }


def committed_offsets(client: Any, group: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """The offset up to which a group (by its full name) has committed each partition; of those that it has."""
    if not partitions:
        return {}
    try:
        found = client.list_group_offsets({group: partitions})[group]
    except CoordinatorNotAvailableError:
        return {}  # Kafka makes its offsets topic when the first group appears: nobody committed yet
    return {tp: at.offset for tp, at in found.items() if at.offset >= 0}


class OffsetReader:
    """Reads backlogs again and again over one connection. Close it, or use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.missing: tuple[str, ...] = ()  #: topics that did not exist when backlogs were read last
        self._admin = connect(settings)
        self._consumer = consumer(settings, fetch_max_wait_ms=1, max_partition_fetch_bytes=1)

    def __enter__(self) -> "OffsetReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()
        self._admin.close()

    def positions(self) -> Positions:
        """Where every group is in each partition of the topics that exist. Raises UnavailableError."""
        try:
            counts = partition_counts(self._admin, self.settings)
            names = [self.settings.topic(topic.name) for topic in ALL]
            self.missing = tuple(name for name in names if name not in counts)
            wanted = {
                group: {topic.name: self._partitions(topic, counts) for topic in topics}
                for group, topics in groups().items()
            }
            every = sorted({tp for topics in wanted.values() for tps in topics.values() for tp in tps})
            # committed offsets are read first: read later, they could be ahead of the ends
            committed = {group: self._committed(group, topics) for group, topics in wanted.items()}
            starts = self._consumer.beginning_offsets(every) if every else {}
            ends = self._ends(every)
        except KafkaError as error:
            raise broken(self.settings.brokers, error) from error
        return {
            group: {
                (name, tp.partition): Position(max(committed[group].get(tp, 0), starts[tp]), ends[tp])
                for name, tps in topics.items()
                for tp in tps
            }
            for group, topics in wanted.items()
        }

    def backlogs(self) -> Backlogs:
        """Every group's backlog in the topics that exist. Raises UnavailableError."""
        return {group: _backlogs(positions) for group, positions in self.positions().items()}

    def _partitions(self, topic: Topic, counts: dict[str, int]) -> list[TopicPartition]:
        name = self.settings.topic(topic.name)
        return [TopicPartition(name, number) for number in range(counts.get(name, 0))]

    def _committed(self, group: str, topics: dict[str, list[TopicPartition]]) -> dict[TopicPartition, int]:
        partitions = [tp for tps in topics.values() for tp in tps]
        return committed_offsets(self._admin, self.settings.topic(group), partitions)

    def _ends(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if not partitions:
            return {}
        latest: dict[TopicPartition, int] = self._consumer.end_offsets(partitions)
        # a new assignment drops the high watermarks of the previous fetches
        self._consumer.unsubscribe()
        self._consumer.assign(partitions)
        for tp, offset in latest.items():
            self._consumer.seek(tp, offset)
        return {tp: max(end, latest[tp]) for tp, end in fetched_ends(self._consumer, partitions).items()}


def _backlogs(positions: Mapping[tuple[str, int], Position]) -> list[Backlog]:
    by_topic: dict[str, list[Position]] = {}
    for (name, _), position in positions.items():
        by_topic.setdefault(name, []).append(position)
    return [
        Backlog(
            name,
            end=sum(one.end for one in found),
            done=sum(one.done for one in found),
            lag=sum(max(0, one.end - one.done) for one in found),
        )
        for name, found in by_topic.items()
    ]
