"""Which fetches of each partition are done, so that a commit never passes one that is not.

Invariant: the committable offset is the end of the longest done prefix since the last seek. Stock Faust keeps
a set of acked offsets and lets a commit pass in-flight messages when acks come out of order (its issue 606).
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")  #: a topic partition


@dataclass(slots=True)
class Fetch:
    """The records of one partition that were read together and are acknowledged together."""

    last_offset: int
    done: bool = False


class Ledger(Generic[P]):
    """The fetches under way, per partition, in the order in which they were read."""

    def __init__(self) -> None:
        self._fetches: dict[P, deque[Fetch]] = {}

    def open(self, partition: P, last_offset: int) -> Fetch:
        """Note that a fetch ending with `last_offset` was handed to an agent."""
        fetch = Fetch(last_offset)
        self._fetches.setdefault(partition, deque()).append(fetch)
        return fetch

    def committable(self, partition: P) -> int | None:
        """Remove the done prefix; return the offset after it (what Kafka commits), or None if there is none."""
        fetches = self._fetches.get(partition)
        end = None
        while fetches and fetches[0].done:
            end = fetches.popleft().last_offset + 1
        return end

    def forget(self, partitions: set[P] | None = None) -> None:
        """Drop what is known of these partitions, or of all: after a seek the records come again."""
        if partitions is None:
            self._fetches.clear()
        else:
            for partition in partitions:
                self._fetches.pop(partition, None)
