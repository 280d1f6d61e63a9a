"""Encoders of small records that the journeys agent writes all the time: a third of the general encoder's cost.

They return the bytes that `RecordType.encode` returns. They write the fields in the order of the schema, so the import
of this module fails once that order differs.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from schemas.encoding.codec import header, long_bytes, string_bytes
from schemas.encoding.registry import current

_NULL: Final = long_bytes(0)
_NOT_NULL: Final = long_bytes(1)
_END: Final = long_bytes(0)  #: of an array

#: For numbers that many records of a process share.
_shared_long_bytes = lru_cache(maxsize=64)(long_bytes)


def checked_header(name: str, *fields: str) -> bytes:
    """The header of a record whose fields are these. Raises ImportError if the schema has others, or another order."""
    found = tuple(field["name"] for field in current()[name]["fields"])
    if found != fields:
        raise ImportError(f"{name}.avsc has the fields {found}, {__name__} writes {fields}: change both")
    return header(name)


_PUBLISHED: Final = checked_header("SignalsPublished", "version", "now", "due_at", "meanings")
_WRITTEN_AHEAD: Final = checked_header("SignalsWrittenAhead", "now", "signals")


def signals_published(version: int, now: int, due_at: int | None, meanings: int) -> bytes:
    """A SignalsPublished; its fields are documented in SignalsPublished.avsc. All numbers have 64 bits."""
    due = (_NULL,) if due_at is None else (_NOT_NULL, long_bytes(due_at))
    return b"".join(
        (_PUBLISHED, long_bytes(version), _shared_long_bytes(now), *due, _shared_long_bytes(meanings))
    )


def signals_written_ahead(now: int, signals: Sequence[tuple[str, bytes]]) -> bytes:
    """A SignalsWrittenAhead: `now` in UTC ms, and at least one pair of an event and its encoded JourneySignal."""
    parts = [_WRITTEN_AHEAD, _shared_long_bytes(now), long_bytes(len(signals))]
    for event, signal in signals:
        parts += string_bytes(event), long_bytes(len(signal)), signal
    parts.append(_END)
    return b"".join(parts)
