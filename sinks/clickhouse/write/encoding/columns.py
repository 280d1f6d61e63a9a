"""A table's columns: each is declared once, and encodes a record's field as a Python value and as SQL over Avro."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.records import AvroSchema, Record
from schemas.touchpoint.events import MAX_CHECKSUM, checksum
from sinks.clickhouse.values import LATEST, Row
from sinks.clickhouse.write.encoding.avro_file import PLACE
from sinks.clickhouse.write.encoding.avro_input import field_at
from sinks.clickhouse.write.encoding.kinds import Kind, clamped

#: Name of the query's parameter: the Kafka topic.
TOPIC: Final = "topic"


class Source(NamedTuple):
    """The Kafka record that a row comes from."""

    topic: str
    partition: int
    offset: int


class Column(NamedTuple):
    """`value` takes the record, its source and the columns before this one. `sql` takes the record's schema."""

    name: str
    value: Callable[[Record, Source, Row], Any]
    sql: Callable[[AvroSchema], str]


class Table(NamedTuple):
    """The table of a record. `key` is the pattern of a tombstone's Kafka key: columns, with / and : between."""

    name: str
    columns: tuple[Column, ...]
    key: str = ""

    def row(self, record: Record, source: Source) -> Row:
        """The row of a record: column → value."""
        row: Row = {}
        for column in self.columns:
            row[column.name] = column.value(record, source, row)
        return row

    def expressions(self, schema: AvroSchema) -> dict[str, str]:
        """The same row in SQL, over the columns of `input()` (avro_input.py): column → expression."""
        return {column.name: column.sql(schema) for column in self.columns}


def column(name: str, kind: Kind, path: str = "") -> Column:
    """A column made of one field. `path` leads through records to it, with dots; the column's name if it is empty.

    The field of a record that is null is null.
    """
    parts = (path or name).split(".")

    def value(record: Record, _: Source, __: Row) -> Any:
        found: Any = record
        for part in parts:
            if found is None:
                break
            found = found[part]
        return kind.value(found)

    return Column(name, value, lambda schema: kind.sql(field_at(schema, parts)))


def constant(name: str, value: int) -> Column:
    """A column with one constant value."""
    return Column(name, lambda _, __, ___: value, lambda _: str(value))


_CHECKSUM_SQL: Final = f"reinterpretAsUInt64(substring({PLACE}, 13, 8))"

#: The bits of a touchpoint's version, the lowest first: the assignment that it was stitched under (64 bits), whether
#: its owner is that of an erasure, the newest version that decided its owner (65 bits), whether it is erased, and from
#: RANK_SHIFT on its rank among copies: the checksum (63 bits) and the time of reception, each the smaller the higher.
#: Versions are raised by one: 0 is none. owners.py writes the four lower parts anew.
AFTER_ERASURE_BIT: Final = 64
DECIDED_SHIFT: Final = 65
ERASED_BIT: Final = 130
RANK_SHIFT: Final = 131
_RECEIVED_SHIFT: Final = RANK_SHIFT + 63


def _copy_version(record: Record, _: Source, row: Row) -> int:
    stitched: int = max(record["version"] + 1, 0)
    received: int = row["received_at"]
    digest = checksum(TOUCHPOINT.encode(record["touchpoint"])[HEADER_BYTES:])
    return (
        (LATEST - received) << _RECEIVED_SHIFT
        | (MAX_CHECKSUM - digest) << RANK_SHIFT
        | stitched << DECIDED_SHIFT
        | stitched
    )


_STITCHED_SQL: Final = "if(`version` < 0, toUInt256(0), toUInt256(`version`) + 1)"

#: Of several copies with one identifier and one time FINAL keeps the highest version. That is the copy that counts
#: (schemas/touchpoint/events.py): received first, then with the smallest checksum, then under the newest assignment.
COPY_VERSION: Final = Column(
    "version",
    _copy_version,
    lambda _: (
        f"bitShiftLeft(toUInt256({LATEST} - {clamped('`touchpoint.received_at`')}), {_RECEIVED_SHIFT})"
        f" + bitShiftLeft(toUInt256({MAX_CHECKSUM} - {_CHECKSUM_SQL}), {RANK_SHIFT})"
        f" + bitShiftLeft({_STITCHED_SQL}, {DECIDED_SHIFT}) + {_STITCHED_SQL}"
    ),
)

#: Where the record is in Kafka.
ORIGIN: Final = (
    Column("source_topic", lambda _, source, __: source.topic, lambda _: f"{{{TOPIC}:String}}"),
    Column(
        "source_partition",
        lambda _, source, __: source.partition,
        lambda _: f"reinterpretAsInt32(substring({PLACE}, 9, 4))",
    ),
    Column(
        "source_offset",
        lambda _, source, __: source.offset,
        lambda _: f"reinterpretAsUInt64(substring({PLACE}, 1, 8))",
    ),
)
