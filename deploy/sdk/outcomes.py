"""What becomes of an accepted touchpoint, as callbacks are told."""

from typing import NamedTuple


class Delivered(NamedTuple):
    """All in-sync replicas of Kafka have it. One touchpoint may be delivered twice; it counts once."""

    source: str
    event_id: str
    partition: int
    offset: int


class Refused(NamedTuple):
    """The broker takes this record never, as when its topic allows smaller records only."""

    source: str
    event_id: str
    error: str
