"""Streams of subscribers without a broker: a log of events, a window on it, and readers that ask it for the past."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from hypothesis import strategies as st

from sinks.subscribers.events import Event, Wanted
from sinks.subscribers.window import Cursor, Told, Vector, Window

PARTITIONS = 2


def event(
    partition: int, offset: int, profile: str, tenant: str = "default", name: str = "signal", **facts
) -> Event:
    said = {"partition": partition, "offset": offset, "profile_id": profile, **facts}
    return Event(name, tenant, profile, frozenset((profile,)), facts, partition, offset, 10, lambda: said)


class Log:
    """What Kafka has of one stream; it is the past of its readers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ends = [0] * PARTITIONS

    def append(self, profile: str, **facts: Any) -> Event:
        partition = ord(profile) % PARTITIONS
        found = event(partition, self.ends[partition], profile, **facts)
        self.ends[partition] += 1
        self.events.append(found)
        return found

    def wanted(self, wanted: Wanted, positions: Vector) -> list[tuple[int, int]]:
        """Places of the events that a reader at these positions must be told."""
        return [
            (one.partition, one.offset)
            for one in self.events
            if one.offset >= positions[one.partition] and wanted.passes(one)
        ]

    async def read(self, cursor: Cursor, until: Vector) -> AsyncGenerator[list[Told], None]:
        """As sinks.subscribers.past.Past: partition by partition, a few at a time."""
        for partition, end in enumerate(until):
            while cursor.positions[partition] < end:
                at = cursor.positions[partition]
                positions = list(cursor.positions)
                positions[partition] = at + 1
                cursor.positions = tuple(positions)
                found = next(one for one in self.events if (one.partition, one.offset) == (partition, at))
                yield [Told(found, cursor.positions)] if cursor.wanted.passes(found) else []


class Reader:
    """A reader of a window as sinks.subscribers.streaming is one, a step at a time."""

    def __init__(self, window: Window, log: Log, wanted: Wanted, positions: Vector) -> None:
        self.window, self.log = window, log
        self.cursor = Cursor(wanted, positions, window.generation)
        self.joined = False
        self.told: list[Told] = []

    def step(self, most: int) -> None:
        """Join if it has to, else take some."""
        if not self.joined:
            self.joined = self.window.join(self.cursor)
            if not self.joined:
                asyncio.run(self._past())
            return
        self.told += self.window.take(self.cursor, most)
        if self.cursor.behind:
            self.window.leave(self.cursor)
            self.joined = False

    def finish(self) -> None:
        """Take all that there is."""
        for _ in range(1000):
            before = len(self.told)
            self.step(10)
            if (
                self.joined
                and len(self.told) == before
                and not self.cursor.pending
                and not self.cursor.behind
            ):
                return
        raise AssertionError("the reader never comes to an end")

    async def _past(self) -> None:
        async for told in self.log.read(self.cursor, self.window.head):
            self.told += told


profiles = st.sampled_from("abcd")
tellings = st.one_of(
    st.tuples(st.just("add"), st.lists(profiles, min_size=1, max_size=4)),
    st.tuples(st.just("step"), st.integers(1, 3)),
)
wants = st.builds(
    Wanted,
    st.just("default"),
    st.frozensets(profiles, max_size=2),
)
