"""What becomes of an accepted touchpoint, as callbacks are told."""

import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from schemas.encoding.record_types import TOUCHPOINT

log: Final = logging.getLogger("touchline.sdk")


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


def names_of(value: bytes) -> tuple[str, str]:
    """Source and event id of an encoded touchpoint."""
    touchpoint = TOUCHPOINT.decode_trusted(value)
    return touchpoint["source"], touchpoint["event_id"]


def tell(callback: Callable[[Any], object] | None, outcome: Delivered | Refused) -> None:
    """Tell a callback, if there is one; what it raises is logged and stops nothing."""
    if callback is not None:
        try:
            callback(outcome)
        except Exception:
            log.exception("a callback of the publisher failed")
