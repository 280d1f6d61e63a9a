"""The records that ClickHouse reads itself: their Avro goes into a file as it came, and Python decodes none of it.

Only what is certain to mean the same to both, and only where it saves work; everything else, and every batch that
ClickHouse refuses, goes the way of rows.py, which finds the bad record in it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Final
from uuid import uuid4

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import UNWALKED_BYTES, header
from schemas.encoding.registry import current
from schemas.topics import Topic
from schemas.touchpoint.events import checksum_of_resolved
from sinks.clickhouse.erasure.erasure import Erased
from sinks.clickhouse.write.avro_file import Container, Item
from sinks.clickhouse.write.avro_input import wire
from sinks.clickhouse.write.dedupe import without_superseded
from sinks.clickhouse.write.rows import TABLES

#: Fewer records of a table are sooner decoded than ClickHouse has understood the statement (20 ms).
LEAST_RECORDS: Final = 200

#: Topic → what ClickHouse reads of it, and its first bytes: of the current schema, which the statement is made for.
_READ: Final = {
    topic.name: (name, header(name))
    for topic, name in (
        (topics.JOURNEY_INPUTS, "ResolvedTouchpoint"),
        (topics.JOURNEY_STATES, "JourneyState"),
    )
}

Known = tuple[Topic, KafkaRecord]


@dataclass(frozen=True)
class DirectInsert:
    """Records of one topic and schema as an Avro file. The token is new for each batch and stays for its retries."""

    name: str
    topic: str
    records: list[Known]
    file: bytes
    token: str = field(default_factory=lambda: str(uuid4()))

    @property
    def table(self) -> str:
        """Where the rows go."""
        return TABLES[self.name].name


def choose(
    records: Iterable[Known], erased: Erased | None = None, least: int = LEAST_RECORDS
) -> tuple[list[DirectInsert], list[Known]]:
    """What of a batch goes to ClickHouse as it is, nothing of what was erased in it; and the rest."""
    chosen: dict[tuple[str, str], list[Known]] = defaultdict(list)
    rest: list[Known] = []
    for known in without_superseded(records):
        topic, record = known
        name, head = _READ.get(topic.name, ("", b""))
        value = record.value
        # Longer ones the codec walks first, to count their items (schemas/encoding/bounds.py).
        if (
            not name
            or value is None
            or len(value) > UNWALKED_BYTES
            or not value.startswith(head)
            or (erased is not None and name == "ResolvedTouchpoint" and erased.concerns(value))
        ):
            rest.append(known)
        else:
            chosen[name, record.topic].append(known)
    inserts = []
    for (name, topic_name), alike in chosen.items():
        if len(alike) < least:
            rest.extend(alike)
        else:
            inserts.append(DirectInsert(name, topic_name, alike, _file(name, alike)))
    return inserts, rest


def _file(name: str, records: list[Known]) -> bytes:
    return _container(name).file(
        Item(
            record.offset,
            record.partition,
            checksum_of_resolved(record.value or b"") if name == "ResolvedTouchpoint" else 0,
            record.value or b"",
        )
        for _, record in records
    )


@cache
def _container(name: str) -> Container:
    return Container(wire(current()[name]))
