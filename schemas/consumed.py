"""A record as a Kafka consumer hands it out, whichever library that is."""

from collections.abc import Sequence
from typing import Protocol


class KafkaRecord(Protocol):
    """What is needed of a consumed record; `timestamp` in UTC milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
