"""Leaves out the journey states of a batch that a newer state in the same batch supersedes.

A journey is published whenever something happens to it, so a batch may hold several of its states. The table keeps
the state with the highest version, so the loader decodes and sends only that one. Account states are few, and what
must hold for one stands at its end: each of them is decoded, so that a bad one supersedes no good one.
"""

from collections.abc import Iterable
from typing import Any, Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import HEADER_BYTES, take_long
from schemas.encoding.record_types import JOURNEY_STATE, RecordType
from schemas.encoding.splicing import VERSION_IN
from schemas.headers import tombstone_version
from schemas.topics import Topic
from sinks.clickhouse.write.checks import Checks

#: Topic of states → their record.
_STATES: Final[dict[str, RecordType[Any]]] = {
    topics.JOURNEY_STATES.name: JOURNEY_STATE,
}


def without_superseded(
    records: Iterable[tuple[Topic, KafkaRecord]], checks: Checks | None = None
) -> list[tuple[Topic, KafkaRecord]]:
    """The records without superseded states.

    A record that cannot be read, or that `checks` is not certain of, stays and supersedes nothing: `read` rejects it.
    """
    kept: list[tuple[Topic, KafkaRecord] | None] = []
    newest: dict[tuple[str, bytes], tuple[int, int]] = {}
    for topic, record in records:
        version = _version(topic, record, checks) if topic.name in _STATES else None
        if version is not None and record.key:
            state = topic.name, record.key
            known = newest.get(state)
            if known is None or known[1] <= version:
                if known is not None:
                    kept[known[0]] = None
                newest[state] = len(kept), version
        kept.append((topic, record))
    return [one for one in kept if one is not None]


def _version(topic: Topic, record: KafkaRecord, checks: Checks | None) -> int | None:
    value = record.value
    if value is None:
        version = tombstone_version(record)
        if version is None or checks is None or checks.certain_tombstone(topic, record, version):
            return version
        return None
    state = _STATES[topic.name]
    if value[:HEADER_BYTES] != state.header:
        return None
    if checks is not None and not checks.certain(state.name, record):
        return None
    try:
        return take_long(value, VERSION_IN[state.name](value))[0]
    except IndexError:
        return None
