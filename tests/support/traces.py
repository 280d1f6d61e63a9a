"""What is left of somebody: searches every table without FINAL, the files of ClickHouse, and the topics of Kafka."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clickhouse_driver import Client
from kafka import KafkaConsumer, TopicPartition

from schemas.settings import Settings
from schemas.topics import ALL, Topic
from sinks.clickhouse.erasure.rows import KEPT, TABLES

#: Deleted rows show as well, if their parts are still there.
_EVERYTHING = {"apply_deleted_mask": 0, "final": 0}


def rows_with(client: Client, needles: Iterable[str], kept: Iterable[str] = KEPT) -> Counter[str]:
    """Table → rows of any version in which one of the texts stands in any column. `kept`: tables to leave out."""
    found: Counter[str] = Counter()
    for table, columns in _columns(client):
        if table in kept:
            continue
        text = f"concat({', '.join(f'toString({column})' for column in columns)}, '')"
        condition = f"multiSearchAny({text}, %(needles)s)"
        sql = f"SELECT count() FROM {table} WHERE {condition}"
        ((count,),) = client.execute(sql, {"needles": list(needles)}, settings=_EVERYTHING)
        found[table] += count
    return +found


def _columns(client: Client) -> Iterator[tuple[str, list[str]]]:
    tables = client.execute("""
        SELECT table, groupArray(name) FROM system.columns
        WHERE database = currentDatabase() AND default_kind NOT IN ('ALIAS', 'EPHEMERAL') AND table IN (
            SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
        GROUP BY table ORDER BY table""")
    yield from tables


def inactive_parts(client: Client, before: int, tables: Iterable[str] = TABLES) -> Counter[str]:
    """Table → parts that were replaced before a time (seconds since 1970) and are on the disk still.

    `tables`: those that hold rows which an erasure deletes.
    """
    found = client.execute(
        "SELECT table, count() FROM system.parts WHERE database = currentDatabase() AND NOT active"
        " AND table IN %(tables)s AND toUnixTimestamp(remove_time) <= %(before)s GROUP BY table",
        {"before": before, "tables": list(tables)},
    )
    return Counter(dict(found))


def files_with(client: Client, needles: Iterable[str], kept: Iterable[str] = KEPT) -> list[Path]:
    """Files of the tables' folders that hold one of the texts uncompressed: mutations, marks, small columns."""
    paths = client.execute(
        "SELECT arrayJoin(data_paths) FROM system.tables WHERE database = currentDatabase() AND name NOT IN %(kept)s",
        {"kept": list(kept)},
    )
    wanted = [needle.encode() for needle in needles]
    found = []
    for (folder,) in paths:
        for path in Path(folder).rglob("*"):
            try:
                content = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:
                continue  # a merge has removed it
            if any(needle in content for needle in wanted):
                found.append(path)
    return found


def records_of(settings: Settings, topic: Topic) -> Iterator[Any]:
    """All records that a topic holds."""
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, auto_offset_reset="earliest")
    try:
        consumer.assign(
            [TopicPartition(settings.topic(topic.name), number) for number in range(settings.partitions)]
        )
        consumer.seek_to_beginning()
        while fetched := consumer.poll(timeout_ms=1_000):
            for records in fetched.values():
                yield from records
    finally:
        consumer.close()


def records_with(settings: Settings, needles: Iterable[str]) -> dict[str, Counter[str]]:
    """Topic → what holds one of the texts: `key`, `value` or `header` of how many records.

    Of a compacted topic only the newest record of each key is looked at: compaction leaves no other.
    """
    wanted = [needle.encode() for needle in needles]

    def holds(data: bytes | None) -> bool:
        return data is not None and any(needle in data for needle in wanted)

    found = {}
    for topic in ALL:
        records = list(records_of(settings, topic))
        if topic.compacted:
            records = list({record.key: record for record in records}.values())
        seen: Counter[str] = Counter()
        for record in records:
            seen["tombstone" if record.value is None else "key"] += holds(record.key)
            seen["value"] += holds(record.value)
            seen["header"] += any(holds(value) for _, value in record.headers or ())
        if +seen:
            found[topic.name] = +seen
    return found
