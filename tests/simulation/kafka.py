"""A model of Kafka: logs, committed offsets, compaction. What was appended is durable and in order."""

from bisect import bisect_left
from dataclasses import dataclass, field

from schemas.topics import TOUCHPOINTS
from tests.support.agents import Place, Record, assert_named


@dataclass
class Log:
    """One partition."""

    records: list[Record] = field(default_factory=list)
    end: int = 0


class Kafka:
    """The broker. `now` counts appended records: it is the only clock."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[Place, Log] = {}
        self.committed: dict[Place, int] = {}
        self.now = 0

    def log(self, place: Place) -> Log:
        return self.logs.setdefault(place, Log())

    def append(self, place: Place, key: bytes | None, value: bytes | None, headers=()) -> int:
        if place[0] != TOUCHPOINTS.name:  # sources write what they like
            assert_named(place[0], value)
        log = self.log(place)
        self.now += 1
        log.records.append(Record(*place, log.end, self.now, key, value, tuple(headers or ())))
        log.end += 1
        return log.end - 1

    def read(self, place: Place, start: int, count: int) -> list[Record]:
        log = self.log(place)
        first = bisect_left(log.records, start, key=lambda record: record.offset)
        return log.records[first : first + count]

    def topic(self, name: str) -> list[Record]:
        """Everything in a topic, partition by partition."""
        return [
            record for (topic, _), log in sorted(self.logs.items()) if topic == name for record in log.records
        ]

    def logs_of(self, name: str) -> list[list[Record]]:
        """Everything in a topic, each partition's by itself."""
        return [log.records for (topic, _), log in sorted(self.logs.items()) if topic == name]

    def compact(self, topic: str) -> None:
        """Keep the newest record of each key, as the cleaner may at any time."""
        for (name, _), log in self.logs.items():
            if name == topic:
                newest = {record.key: record.offset for record in log.records}
                log.records = [record for record in log.records if newest[record.key] == record.offset]


def described(ends: dict[Place, tuple[int, int]]) -> str:
    """Ranges of offsets in words."""
    return ", ".join(
        f"{topic}/{partition} {first}-{last}" for (topic, partition), (first, last) in ends.items()
    )
