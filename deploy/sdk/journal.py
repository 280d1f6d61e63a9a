"""Journals: what was accepted and is not yet acknowledged by Kafka, in order; in memory, or in a spool."""

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from deploy.sdk.errors import QueueFullError, counted
from deploy.sdk.segment import Mark

#: What a record takes in memory beside its bytes.
_OVERHEAD_BYTES: Final = 256


class Entry(NamedTuple):
    """A record of a journal. `own`: accepted by this process, not found in the spool of one that is gone."""

    key: bytes
    value: bytes
    own: bool
    where: tuple[object, int] | None = None  #: the journal's own
    traceparent: bytes | None = (
        None  #: the trace that it belongs to, if its process is the one that accepted it
    )


class Journal(Protocol):
    """A queue of records. Not safe for threads: its users hold one lock."""

    def append(self, key: bytes, value: bytes, traceparent: bytes | None = None) -> None:
        """Accept a record behind all others. Raises QueueFullError."""

    def read(self, count: int, size: int) -> list[Entry]:
        """The next records that were not read yet: at most `count`, about `size` bytes."""

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Kafka has these records, the oldest that were read and not acknowledged, in their order."""

    def set_aside(self, entry: Entry, error: str) -> None:
        """Keep a record that the broker never takes, where there is a place to keep it; acknowledge it next."""

    def adopt(self) -> None:
        """Take over what processes that are gone have left."""

    @property
    def unverified(self) -> tuple[Mark, ...]:
        """The pseudonymisation keys of what was adopted, which Kafka must know before `read` may be called."""

    def verified(self, mark: Mark, refusal: str | None) -> None:
        """Note what Kafka said of a key: with a refusal, everything under the key is set aside."""

    def rewind(self) -> None:
        """Read again from the first record that is not acknowledged."""

    def close(self) -> None:
        """Free what is open. A spool stays on the disk with what is not acknowledged."""

    def abandon(self) -> None:
        """Close this process's copies of what its parent has open, and change nothing."""


class MemoryJournal:
    """A bounded queue in memory, lost with the process."""

    unverified: tuple[Mark, ...] = ()

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._entries: deque[Entry] = deque()
        self._read = 0

    def append(self, key: bytes, value: bytes, traceparent: bytes | None = None) -> None:
        """See Journal."""
        size = _size(key, value)
        if self._entries and self._bytes + size > self._limit:
            raise QueueFullError(
                f"Kafka has not acknowledged {counted(len(self._entries))}, which is all that memory_bytes allows:"
                " the touchpoint was not accepted; try later, or give the publisher a spool"
            )
        self._entries.append(Entry(key, value, own=True, traceparent=traceparent))
        self._bytes += size

    def read(self, count: int, size: int) -> list[Entry]:
        """See Journal."""
        found: list[Entry] = []
        while size > 0 and len(found) < count and self._read < len(self._entries):
            found.append(self._entries[self._read])
            size -= len(found[-1].value)
            self._read += 1
        return found

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """See Journal."""
        for entry in entries:
            self._entries.popleft()
            self._read -= 1
            self._bytes -= _size(entry.key, entry.value)

    def set_aside(self, entry: Entry, error: str) -> None:
        """See Journal."""

    def adopt(self) -> None:
        """See Journal."""

    def verified(self, mark: Mark, refusal: str | None) -> None:
        """See Journal."""

    def rewind(self) -> None:
        """See Journal."""
        self._read = 0

    def close(self) -> None:
        """See Journal."""

    def abandon(self) -> None:
        """See Journal."""


def _size(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + _OVERHEAD_BYTES
