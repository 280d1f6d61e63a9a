"""Which touchpoints are copies of one event, and which copy counts: one rule for timelines, replay and ClickHouse.

An event id is unique within its source. Copies of an event may differ: in the time, in the amount, in the identifiers
that they carry. Of the copies that one profile owns, the copy received first counts. Of copies received in the same
millisecond the copy that occurred first counts, then the copy with the smallest checksum.

`rank_of` is the rule. ClickHouse gets the rank as columns of each row (sinks/clickhouse/write/encoding/columns.py), and
the view `touchpoints_current` takes the smallest.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final, TypeAlias

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.encoding.splicing import touchpoint_in
from schemas.records import Touchpoint

#: (received_at, occurred_at, checksum): the smallest of an event's copies counts.
Rank: TypeAlias = tuple[int, int, int]

#: Between the event id and the source of a key. No text of a touchpoint holds it (schemas/touchpoint/rules.py).
#: It sorts before every other character, so keys sort by event id first.
SEPARATOR: Final = "\0"
#: Above so many bytes of UTF-8 a key holds a digest of the source.
MAX_SOURCE_BYTES: Final = 15  #: a digest has 16


def event_key(touchpoint: Touchpoint) -> str:
    """The key that all copies of an event share within a tenant: event id and source, as one text."""
    return f"{touchpoint['event_id']}\0{_short(touchpoint['source'])}"


def key_of(event_id: str, source: str) -> str:
    """The event_key of the touchpoints with this event id and source."""
    return f"{event_id}\0{_short(source)}"


@lru_cache(maxsize=4096)
def _short(source: str) -> str:
    """A source as keys hold it: a long one as its digest, since a journey keeps hundreds of keys."""
    encoded = source.encode("utf-8", "surrogatepass")
    return source if len(encoded) <= MAX_SOURCE_BYTES else blake2b(encoded, digest_size=8).hexdigest()


def event_id_of(key: str) -> str:
    """The event id in a key."""
    return key.partition(SEPARATOR)[0]


#: The largest checksum.
MAX_CHECKSUM: Final = (1 << 63) - 1


def checksum(encoded: bytes) -> int:
    """The 63 bit checksum of an encoded Touchpoint without its header: the last tie-break among copies."""
    return int.from_bytes(blake2b(encoded, digest_size=8).digest(), "big") >> 1


def checksum_of_resolved(value: bytes) -> int:
    """The checksum of the touchpoint in a current ResolvedTouchpoint, which is not decoded; 0 if it cannot be read."""
    try:
        return checksum(value[touchpoint_in(value) :])
    except IndexError:
        return 0


def rank_of(touchpoint: Touchpoint) -> Rank:
    """The rank of a touchpoint among the copies of its event. The smallest rank counts."""
    encoded = TOUCHPOINT.encode(touchpoint)
    return touchpoint["received_at"], touchpoint["occurred_at"], checksum(encoded[HEADER_BYTES:])
