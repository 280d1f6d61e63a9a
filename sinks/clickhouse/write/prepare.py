"""A batch of Kafka records as inserts, in two encodings: Avro that ClickHouse reads itself, and rows.

A record goes as Avro if ClickHouse is certain to read what the codec reads, and if a statement pays: Python then
decodes none of it. All other records, and every file that ClickHouse refuses, go as rows, which finds the bad record.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from schemas import topics
from schemas.encoding.codec import UNWALKED_BYTES, header
from schemas.encoding.registry import current
from schemas.errors import ContractError
from schemas.touchpoint.events import checksum_of_resolved
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.values import Row
from sinks.clickhouse.write.checks import Checks, LeftToAgentError
from sinks.clickhouse.write.dedupe import without_superseded
from sinks.clickhouse.write.encoding.avro_file import Container, Item
from sinks.clickhouse.write.encoding.avro_input import wire
from sinks.clickhouse.write.encoding.rows import HISTORY_OF, history_row
from sinks.clickhouse.write.inserts import AvroInsert, Rejected, RowInsert, TopicRecord
from sinks.clickhouse.write.reading import read

#: Topic → the record that goes as Avro, and its first bytes. They name the current schema, which the statement reads.
_AVRO: Final = {
    topic.name: (name, header(name))
    for topic, name in (
        (topics.JOURNEY_INPUTS, "ResolvedTouchpoint"),
        (topics.JOURNEY_STATES, "JourneyState"),
    )
}


def prepare(
    records: Iterable[TopicRecord],
    erased: Erased | None = None,
    *,
    avro_from: int | None = None,
    checks: Checks | None = None,
) -> tuple[list[AvroInsert | RowInsert], list[Rejected]]:
    """The inserts of a batch (at most MAX_ROWS records), and the records that cannot be stored.

    Superseded states and erased data are left out. `avro_from`: how many records of a table are worth an Avro file;
    None: every record goes as a row. `checks`: the rules of internal topics; may raise UnavailableError.
    """
    rest = without_superseded(records, checks)
    files: list[AvroInsert] = []
    if avro_from is not None:
        files, rest = avro_inserts(rest, erased, avro_from, checks)
    blocks, rejected = row_inserts(rest, erased, checks)
    return [*files, *blocks], rejected


def avro_inserts(
    records: Iterable[TopicRecord], erased: Erased | None, least: int, checks: Checks | None = None
) -> tuple[list[AvroInsert], list[TopicRecord]]:
    """Divide records into Avro inserts and the rest. Records with erased identifiers belong to the rest.

    So do those that `checks` is not certain of.

    `least` is the number of records of a table that are worth a file.
    """
    chosen: dict[tuple[str, str], list[TopicRecord]] = defaultdict(list)
    rest: list[TopicRecord] = []
    for topic_record in records:
        topic, record = topic_record
        name, head = _AVRO.get(topic.name, ("", b""))
        value = record.value
        # The codec walks longer values before it decodes them, to count their items (schemas/encoding/bounds.py).
        if (
            not name
            or value is None
            or len(value) > UNWALKED_BYTES
            or not value.startswith(head)
            or (erased is not None and name == "ResolvedTouchpoint" and erased.concerns(value))
            or not (checks is None or checks.certain(name, record))
        ):
            rest.append(topic_record)
        else:
            chosen[name, record.topic].append(topic_record)
    inserts = []
    for (name, topic_name), alike in chosen.items():
        if len(alike) < least:
            rest.extend(alike)
        else:
            inserts.append(AvroInsert(name, topic_name, alike, _file(name, alike)))
    return inserts, rest


def row_inserts(
    records: Iterable[TopicRecord], erased: Erased | None = None, checks: Checks | None = None
) -> tuple[list[RowInsert], list[Rejected]]:
    """The records as rows, without what was erased and what an agent rejects; and those that cannot be stored."""
    rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
    rejected = []
    for topic, record in records:
        try:
            found = read(topic, record, checks)
        except LeftToAgentError:
            continue
        except ContractError as error:
            rejected.append(Rejected(record, error))
        else:
            if found is not None:
                table, row = found
                # The row of a tombstone has fewer columns, so it needs a block of its own.
                rows[table, len(row)].append(row)
                if table in HISTORY_OF:
                    rows[HISTORY_OF[table], len(row)].append(history_row(row, record.timestamp))
    left = [
        (table, alike if erased is None else erased.left(table, alike)) for (table, _), alike in rows.items()
    ]
    return [_block(table, alike) for table, alike in left if alike], rejected


def _block(table: str, rows: Sequence[Row]) -> RowInsert:
    return RowInsert(table, {name: [row[name] for row in rows] for name in rows[0]}, len(rows))


def _file(name: str, records: list[TopicRecord]) -> bytes:
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
