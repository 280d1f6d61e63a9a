"""Turns a Kafka record into its row; skips records without a table, rejects records that cannot be stored."""

from typing import Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import decode, name_of
from schemas.errors import ContractError, Reason
from schemas.headers import tombstone_version
from schemas.records import Record
from schemas.topics import Topic
from sinks.clickhouse.values import Row
from sinks.clickhouse.write.checks import Checks, rejected
from sinks.clickhouse.write.encoding.columns import Source
from sinks.clickhouse.write.encoding.rows import tombstone_row
from sinks.clickhouse.write.encoding.tables import TABLES

#: The topics that the loader reads.
READ: Final = tuple(topic for topic in topics.PUBLIC_PATH if "loader" in topic.read_by)

#: Messages between profiles on journey-inputs. The loader knows them by their first bytes and never decodes them.
_MESSAGES: Final = frozenset(topics.JOURNEY_INPUTS.values) - TABLES.keys()

#: Topic → the table of its record, which a tombstone deletes a row of.
_TOMBSTONES: Final = {
    topics.IDENTITY_ASSIGNMENTS.name: TABLES["IdentityAssignment"],
    topics.JOURNEY_STATES.name: TABLES["JourneyState"],
    topics.ACCOUNT_STATES.name: TABLES["AccountState"],
}


def read(topic: Topic, record: KafkaRecord, checks: Checks | None = None) -> tuple[str, Row] | None:
    """The table and row of a record of `topic`, or None if it is not stored.

    Raises ContractError if the record cannot be stored, or breaks a rule that `checks` knows. On dead-letters it does
    not: an unreadable dead letter is stored as it is, since another dead letter about it would be no better.
    """
    source = Source(record.topic, record.partition, record.offset)
    try:
        if record.value is None and topic.name in _TOMBSTONES:
            return _tombstone(topic, record, checks)
        if topic is topics.JOURNEY_INPUTS and _is_message(record.value):
            return None
        name, body = _decoded(topic, record.value)
        if checks is not None:
            checks.check(name, body, record)
        table = TABLES[name]
        return table.name, table.row(body, source)
    except ContractError as error:
        if topic is not topics.DEAD_LETTERS:
            raise rejected(topic, error) from error
        table = TABLES["DeadLetter"]
        return table.name, table.row(_unreadable(record, error), source)


def _is_message(value: bytes | None) -> bool:
    return value is not None and name_of(value) in _MESSAGES


def _decoded(topic: Topic, value: bytes | None) -> tuple[str, Record]:
    name, body = decode(value)
    if name not in topic.values:
        raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on {topic.name}")
    return name, body


def _tombstone(topic: Topic, record: KafkaRecord, checks: Checks | None) -> tuple[str, Row]:
    table = _TOMBSTONES[topic.name]
    source = Source(record.topic, record.partition, record.offset)
    version = tombstone_version(record)
    if version is None:
        raise ContractError(
            Reason.INVALID, f"a tombstone on {topic.name} without a version: Touchline publishes none"
        )
    if checks is not None:
        checks.check_tombstone(topic, record, version)
    try:
        key = (record.key or b"").decode()
        return table.name, tombstone_row(table, key, version, source)
    except ValueError as error:
        raise ContractError(
            Reason.INVALID, f"a tombstone on {topic.name} that names nothing: {error}"
        ) from error


def _unreadable(record: KafkaRecord, error: ContractError) -> Record:
    return {
        "reason": error.reason.value,
        "error": f"not a dead letter: {error}",
        "component": "unknown",
        "component_version": "",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "recorded_at": record.timestamp,
        "key": record.key,
        "value": record.value,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
    }
