"""A consumed Kafka record: the interface that both client libraries share."""

from collections.abc import Sequence
from typing import Protocol


class KafkaRecord(Protocol):
    """The fields of a consumed record; `timestamp` in UTC milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
