"""The offset tracker: tells which offsets may be committed, so that a commit never passes an unfinished fetch.

Invariant: the committable offset is the end of the longest prefix of done fetches since the last seek. Stock Faust
keeps a set of acknowledged offsets. It lets a commit pass messages in flight if acknowledgements arrive out of order
(issue 606 of faust-streaming).
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")  #: a topic partition


@dataclass(slots=True)
class Fetch:
    """Records of one partition that were read together and are acknowledged together."""

    last_offset: int
    done: bool = False
    read_at: float = 0.0  #: seconds of the reader's clock


class OffsetTracker(Generic[P]):
    """The uncommitted fetches of each partition, in the order in which they were read."""

    def __init__(self) -> None:
        self._fetches: dict[P, deque[Fetch]] = {}

    def track(self, partition: P, last_offset: int, read_at: float = 0.0) -> Fetch:
        """Append a fetch that ends with `last_offset`. Set the returned fetch's `done` when it is acknowledged."""
        fetch = Fetch(last_offset, read_at=read_at)
        self._fetches.setdefault(partition, deque()).append(fetch)
        return fetch

    def pop_committable(self, partition: P) -> int | None:
        """Remove the prefix of done fetches. Returns the offset after it, which is to be committed; None if empty."""
        fetches = self._fetches.get(partition)
        end = None
        while fetches and fetches[0].done:
            end = fetches.popleft().last_offset + 1
        return end

    def read_at(self, partition: P) -> float | None:
        """When the oldest uncommitted fetch of a partition was read; None if there is none."""
        fetches = self._fetches.get(partition)
        return fetches[0].read_at if fetches else None

    def forget(self, partitions: set[P] | None = None) -> None:
        """Drop the fetches of these partitions, or of all: after a seek their records are read again."""
        if partitions is None:
            self._fetches.clear()
        else:
            for partition in partitions:
                self._fetches.pop(partition, None)
