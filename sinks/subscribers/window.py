"""The newest events of one stream, kept once for all its readers, and where each of these readers is.

A reader is a cursor: it holds the numbers of the events that wait for it, never the events. One that falls behind the
window reads the past elsewhere (`catch_up`) and comes back: so a slow reader costs no memory and misses nothing.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sinks.subscribers.events import Event, Wanted

#: Numbers that wait for one reader; with more it is sent to read them from the past.
MOST_PENDING: Final = 2_000

Vector = tuple[int, ...]  #: for each partition the offset of the next record


class Told(NamedTuple):
    """An event, and how far its reader has come with it."""

    event: Event
    positions: Vector


class _Kept(NamedTuple):
    event: Event
    after: Vector  #: positions of the stream with this event


class Window:
    """One stream. One event loop, so nothing is locked."""

    def __init__(self, events: int, size: int, *, coalesced: bool) -> None:
        """Keep at most so many events and bytes. `coalesced`: of a profile only its newest event counts."""
        self._most_events, self._most_bytes = events, size
        self._coalesced = coalesced
        self._kept: deque[_Kept] = deque()
        self._first = 0  #: number of the oldest event that is kept
        self._bytes = 0
        self._newest: dict[
            tuple[str, str], int
        ] = {}  #: tenant and profile → number of its newest event, if coalesced
        self._start: Vector = ()  #: positions before the oldest event
        self._head: Vector = ()
        self._cursors: defaultdict[tuple[str, str], set[Cursor]] = defaultdict(set)
        self.generation = 0  #: raised when readers must start anew

    @property
    def head(self) -> Vector:
        """Positions of the stream after all that it was told; empty before it is opened."""
        return self._head

    @property
    def start(self) -> Vector:
        """Positions of the stream before the oldest event that is kept."""
        return self._start

    @property
    def readers(self) -> int:
        """How many cursors are in the window."""
        return len({one for many in self._cursors.values() for one in many})

    def open(self, positions: Sequence[int]) -> None:
        """Begin at these positions, anew if it was open: what came before is read from the past."""
        self._kept.clear()
        self._newest.clear()
        self._first, self._bytes = 0, 0
        self._start = self._head = tuple(positions)
        self.generation += 1
        for cursor in {one for many in self._cursors.values() for one in many}:
            cursor.news.set()
        self._cursors.clear()

    def add(self, events: Iterable[Event], positions: Sequence[int]) -> None:
        """Take events, in the order of each partition, and the positions of the stream after them."""
        for event in events:
            after = list(self._head)
            after[event.partition] = max(event.offset + 1, after[event.partition])
            self._head = tuple(after)
            self._append(event)
        self._head = tuple(map(max, self._head, positions))
        self._evict()

    def join(self, cursor: "Cursor") -> bool:
        """Let a cursor go on within the window; False if what it lacks is not in it any more."""
        if any(at < start for at, start in zip(cursor.positions, self._start, strict=True)):
            return False
        cursor.pending.clear()
        cursor.behind = cursor.partial = False
        for number, kept in enumerate(self._kept, self._first):
            if cursor.lacks(kept.event) and cursor.wanted.passes(kept.event):
                if len(cursor.pending) == MOST_PENDING:
                    cursor.partial = True
                    return True
                cursor.pending.append(number)
        for place in cursor.places:
            self._cursors[place].add(cursor)
        return True

    def leave(self, cursor: "Cursor") -> None:
        """Add nothing more to a cursor."""
        for place in cursor.places:
            cursors = self._cursors.get(place)
            if cursors is not None:
                cursors.discard(cursor)
                if not cursors:
                    del self._cursors[place]

    def take(self, cursor: "Cursor", most: int) -> list[Told]:
        """The next events of a cursor, at most so many; it counts them as told.

        Afterwards the cursor may be `behind`: then it must `leave` and `join` again, or read the past before.
        """
        told: list[Told] = []
        while cursor.pending and len(told) < most:
            number = cursor.pending[0]
            if number < self._first:
                cursor.behind = True
                return told
            cursor.pending.popleft()
            event, after = self._kept[number - self._first]
            cursor.positions = tuple(map(max, after, cursor.positions)) if cursor.ahead else after
            if not self._coalesced or self._newest[event.tenant, event.profile_id] == number:
                told.append(Told(event, cursor.positions))  # else a newer state of this profile is further on
        if cursor.pending:
            return told
        if cursor.partial:
            cursor.behind = True
        else:  # everything before the head was told or not asked for
            cursor.positions = tuple(map(max, self._head, cursor.positions))
            cursor.ahead = any(at > head for at, head in zip(cursor.positions, self._head, strict=True))
        return told

    def _append(self, event: Event) -> None:
        number = self._first + len(self._kept)
        self._kept.append(_Kept(event, self._head))
        self._bytes += event.size
        if self._coalesced:
            self._newest[event.tenant, event.profile_id] = number
        for cursor in self._interested(event):
            if cursor.lacks(event) and cursor.wanted.passes(event):
                if len(cursor.pending) == MOST_PENDING:
                    cursor.partial = True
                    self.leave(cursor)
                else:
                    cursor.pending.append(number)
                    cursor.news.set()

    def _interested(self, event: Event) -> set["Cursor"]:
        found = set(self._cursors.get((event.tenant, ""), ()))
        for profile in event.profiles:
            found |= self._cursors.get((event.tenant, profile), set())
        return found

    def _evict(self) -> None:
        while len(self._kept) > self._most_events or (self._bytes > self._most_bytes and self._kept):
            event, after = self._kept.popleft()
            self._bytes -= event.size
            if self._newest.get((event.tenant, event.profile_id)) == self._first:
                del self._newest[event.tenant, event.profile_id]
            self._first += 1
            self._start = after
        if not self._kept:
            self._start = self._head


class Cursor:
    """Where one reader of a stream is."""

    def __init__(
        self, wanted: Wanted, positions: Sequence[int], generation: int, fresh_at: float = 0.0
    ) -> None:
        """`fresh_at`: UTC seconds, before which nothing was published that is not before these positions."""
        self.wanted = wanted
        self.positions: Vector = tuple(positions)
        self.generation = generation
        self.fresh_at = fresh_at
        self.ahead = True  #: whether it may have been told by another process what this one has not read yet
        self.behind = False  #: whether what it lacks next may not be in the window any more
        self.partial = False  #: whether more is in the window than waits for it
        self.pending: deque[int] = deque()
        self.news = asyncio.Event()

    def lacks(self, event: Event) -> bool:
        """Whether the reader was not told of this event before."""
        return event.offset >= self.positions[event.partition]

    @property
    def places(self) -> list[tuple[str, str]]:
        """Tenant and profile of what it asked for; an empty profile stands for all."""
        return [(self.wanted.tenant, profile) for profile in self.wanted.profiles or ("",)]
