"""Reads dead letters from their Kafka topic, up to its present end, or from ClickHouse."""

import time
from collections.abc import Iterator
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from deploy.kafka_admin.client import TIMEOUT_SECONDS, broken, consumer
from deploy.kafka_admin.topics import no_topic
from deploy.repair.dead_letters.letters import Letter, Summary, Wanted, read_letter
from schemas.errors import UnavailableError
from schemas.records import DeadLetter
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS
from sinks.clickhouse.connection import connect, translated

_FETCHES: Final[dict[str, Any]] = {"fetch_max_wait_ms": 50, "max_partition_fetch_bytes": 4 * 1024 * 1024}


def letters(settings: Settings, wanted: Wanted) -> Iterator[Letter]:
    """The letters in the topic, in no particular order. Raises UnavailableError, SettingsError without a topic."""
    for record in records(settings, settings.topic(DEAD_LETTERS.name)):
        letter = read_letter(
            record.topic, record.partition, record.offset, record.timestamp, record.key, record.value
        )
        if wanted.matches(letter):
            yield letter


def records(settings: Settings, topic: str) -> Iterator[Any]:
    """Every record of a topic up to its present end, as kafka-python's ConsumerRecord."""
    reader = consumer(settings, **_FETCHES)
    try:
        partitions = reader.partitions_for_topic(topic)
        if not partitions:
            raise no_topic(settings, topic)
        unread = {TopicPartition(topic, number) for number in partitions}
        reader.assign(list(unread))
        reader.seek_to_beginning()
        yield from _to_the_end(reader, unread)
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    finally:
        reader.close()


def original(settings: Settings, letter: DeadLetter) -> bytes | None:
    """The value of the original record, read at its offset; None if retention has removed it."""
    reader = consumer(settings, **_FETCHES)
    part = TopicPartition(letter["topic"], letter["partition"])
    try:
        reader.assign([part])
        reader.seek(part, letter["offset"])
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for record in reader.poll(timeout_ms=200, max_records=1).get(part, []):
                value: bytes | None = record.value
                return value if record.offset == letter["offset"] else None
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    finally:
        reader.close()
    return None


def stored(settings: Settings, wanted: Wanted, limit: int) -> Summary:
    """What ClickHouse has of the letters: counts, and the newest without their bytes."""
    where = settings.clickhouse()
    conditions = ["loaded_at >= fromUnixTimestamp64Milli(toInt64(%(since)s))"]
    conditions += [
        f"{name} = %({name})s" for name in ("reason", "component", "topic") if getattr(wanted, name)
    ]
    values = {
        "since": wanted.since or 0, "reason": wanted.reason, "component": wanted.component,
        "topic": wanted.topic, "limit": limit,
    }  # fmt: skip
    source = f"FROM dead_letters FINAL WHERE {' AND '.join(conditions)}"
    client = connect(where)
    try:
        with translated(where):
            counted = client.execute(
                f"SELECT reason, component, topic, count() {source} GROUP BY ALL",
                values,
            )
            newest = client.execute(
                "SELECT toUnixTimestamp64Milli(loaded_at), source_partition, source_offset, reason, error, component,"
                f" component_version, topic, partition, offset, toUnixTimestamp64Milli(recorded_at) {source}"
                " ORDER BY loaded_at DESC, source_offset DESC LIMIT %(limit)s",
                values,
            )
    finally:
        client.disconnect()
    summary = Summary()
    for reason, component, topic, count in counted:
        summary.counts[reason, component, topic] = count
    names = (
        "reason",
        "error",
        "component",
        "component_version",
        "topic",
        "partition",
        "offset",
        "recorded_at",
    )
    for at, partition, offset, *fields in newest:
        body: Any = dict(zip(names, fields, strict=True)) | {"key": None, "value": None, "headers": []}
        summary.newest.append(Letter(at, partition, offset, body))
    return summary


def _to_the_end(reader: Any, unread: set[TopicPartition]) -> Iterator[Any]:
    """Read each partition up to the high watermark of its first fetch."""
    ends: dict[TopicPartition, int] = {}
    quiet_since = time.monotonic()
    while unread:
        fetched = reader.poll(timeout_ms=200)
        for part in list(unread):
            watermark = reader.highwater(part)
            if watermark is not None:
                ends.setdefault(part, watermark)
        for part, found in fetched.items():
            quiet_since = time.monotonic()
            for record in found:
                if record.offset < ends.get(part, record.offset + 1):
                    yield record
        for part in list(unread):
            if part in ends and reader.position(part) >= ends[part]:
                unread.discard(part)
        if time.monotonic() - quiet_since > 2 * TIMEOUT_SECONDS:
            raise UnavailableError(
                f"{next(iter(unread)).topic} cannot be read to its end: is the broker healthy?"
            )
