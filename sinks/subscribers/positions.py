"""Event ids: how far a reader of a stream has come in each partition, so that it goes on exactly there."""

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from schemas.encoding.codec import long_bytes, take_long

_FORMAT: Final = 1
_MOST_PARTITIONS: Final = 10_000
_MOST_CHARACTERS: Final = 64 * 1024


class UnreadableIdError(ValueError):
    """A text is no event id of this service."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What an event id says.

    A reader that names it has been told all of `positions` (for each partition the offset of the next record), and of
    states that the service was behind Kafka by no more than what came after `fresh_at` (UTC seconds).
    """

    stream: str  #: states, signals or changes
    epoch: int
    fresh_at: int
    positions: tuple[int, ...]


STREAMS: Final = ("states", "signals", "changes")


def written(mark: Mark) -> str:
    """The event id: no space, no line break, and opaque to clients."""
    numbers = (
        _FORMAT, STREAMS.index(mark.stream), mark.epoch, mark.fresh_at, len(mark.positions), *mark.positions,
    )  # fmt: skip
    return base64.urlsafe_b64encode(b"".join(map(long_bytes, numbers))).rstrip(b"=").decode()


def read(text: str) -> Mark:
    """What an event id says. Raises UnreadableIdError."""
    if len(text) > _MOST_CHARACTERS:
        raise UnreadableIdError(f"{text[:80]!r} is too long to be an event id of this service")
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        numbers, at = [], 0
        while at < len(raw):
            number, at = take_long(raw, at)
            numbers.append(number)
        form, stream, epoch, fresh_at, count, *positions = numbers
    except (UnicodeEncodeError, binascii.Error, IndexError, ValueError) as error:
        raise UnreadableIdError(f"{text[:80]!r} is no event id of this service") from error
    right = (
        form == _FORMAT
        and 0 <= stream < len(STREAMS)
        and count == len(positions) <= _MOST_PARTITIONS
        and all(0 <= number < 1 << 63 for number in (epoch, fresh_at, *positions))
    )
    if not right:
        raise UnreadableIdError(f"{text[:80]!r} is no event id of this service")
    return Mark(STREAMS[stream], epoch, fresh_at, tuple(positions))
