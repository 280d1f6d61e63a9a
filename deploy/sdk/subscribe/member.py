"""A member of a consumer group: which records of its partitions are changes to be told, and which are told.

Of one key a lower version is never told after a higher one, whoever told that, nor one version twice, but for what a
restart or a rebalance repeats. What is known lives in a `Versions`. A member that gets a partition first learns: it
reads from where its store stopped (without one: from the beginning) to the end, and tells nothing. Then it goes back
to the group's offset and tells, of what is before that end, only what is newest; of what comes later, every change.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from deploy.sdk.errors import UnreadableError
from deploy.sdk.subscribe.kinds import GONE, Kind, Reading, change_id, parts
from deploy.sdk.subscribe.versions import Known, Place, Versions
from schemas.consumed import KafkaRecord
from schemas.errors import ContractError
from schemas.topics import TOMBSTONE_MS

C = TypeVar("C")

#: A tombstone is in Kafka for at least so long: a store that was not up to date for longer may lack one.
AWAY_SECONDS: Final = TOMBSTONE_MS / 1000
_NONE: Final = -1  #: the group has committed no offset
_NOTE_SECONDS: Final = 60.0  #: between two notes of how fresh a partition is

Unreadable = Callable[[KafkaRecord, ContractError], object]


@dataclass(slots=True)
class _Partition:
    """Where a partition stands. Records before `told` are not told; those before `read` were noted before."""

    told: int
    read: int
    position: int  #: the offset after the last record that was taken
    committed: int
    fresh_at: float
    learn_to: int | None  #: while it learns: the end at which it goes back to `told`
    sweeping: bool  #: it is read from its beginning, to find keys that Kafka has removed


@dataclass(frozen=True, slots=True)
class _Item(Generic[C]):
    """A change that waits to be told. Exactly one of `offset` and `lost` is there; `error`: it cannot be read."""

    partition: int
    change: C | None
    offset: int | None = None
    lost: tuple[bytes, Known] | None = None  #: a key whose end Kafka does not tell any more
    error: UnreadableError | None = None


class Member(Generic[C]):
    """Not for several threads. Methods that note versions raise StoreFullError; nothing is told then, nor lost."""

    def __init__(
        self,
        kind: Kind[C],
        versions: Versions,
        clock: Callable[[], float],
        on_unreadable: Unreadable | None = None,
    ) -> None:
        """`clock`: UTC seconds. `on_unreadable` is told of records that cannot be read; without it `next` raises."""
        self._kind = kind
        self._versions = versions
        self._clock = clock
        self._on_unreadable = on_unreadable
        self._partitions: dict[int, _Partition] = {}
        self._queue: deque[_Item[C]] = deque()
        self._current: _Item[C] | None = None
        self._sweep = round(clock() * 1000)  #: marks what the newest sweep has met

    def known_end(self, partition: int) -> int:
        """How far the partition was read, as the store has it: no log of this topic ends before that."""
        place = self._versions.place(partition)
        return place.read if place else 0

    def begin(self, partition: int, committed: int | None, start: int, end: int, fallback: int) -> int:
        """Take a partition over; returns the offset to read from.

        `committed` is the group's offset, `start` and `end` those of the log, `fallback` where a new group begins.
        Commit what `commits` has before the next change is told: an offset says that the group has told something.
        """
        now = self._clock()
        place = self._versions.place(partition)
        if max(committed or 0, place.read if place else 0) > end:
            place, committed, fallback = None, None, start  # the topic was made anew
        if place is None:
            place = Place(start, None, now)
        is_new = committed is None and place.done is None  # then nobody has told anything after `fallback`
        told = committed if committed is not None else place.done if place.done is not None else fallback
        learn_to = told if is_new else end
        fresh_at = place.fresh_at or now
        stale = self._kind.gone is not None and now - fresh_at > AWAY_SECONDS
        learns = place.read < learn_to
        first = start if stale else max(place.read if learns else told, start)
        self._partitions[partition] = _Partition(
            told, place.read, first, _NONE if committed is None else committed, fresh_at,
            learn_to if learns else None, stale,
        )  # fmt: skip
        self._sweep += stale
        return first

    def drop(self, partition: int) -> None:
        """Give a partition up: what is not told of it, its next owner tells."""
        self._partitions.pop(partition, None)
        self._queue = deque(item for item in self._queue if item.partition != partition)
        if self._current is not None and self._current.partition == partition:
            self._current = None

    @property
    def partitions(self) -> set[int]:
        """The partitions that it has."""
        return set(self._partitions)

    @property
    def unclaimed(self) -> set[int]:
        """Partitions of which the group has no offset yet: telling something now could be repeated without a trace."""
        return {partition for partition, at in self._partitions.items() if at.committed == _NONE}

    def take(self, partition: int, records: Iterable[KafkaRecord]) -> None:
        """Note records of a partition, in their order, and queue what is to be told."""
        at = self._partitions[partition]
        items: list[_Item[C]] = []
        read, position = at.read, at.position
        with self._versions.transaction():
            for record in records:
                item = self._taken(at, read, record)
                if item is not None:
                    items.append(item)
                position = record.offset + 1
                read = max(read, position)
            self._versions.put_place(partition, Place(read, _or_none(at.committed), at.fresh_at))
        at.read, at.position = read, position
        self._queue += items

    def _taken(self, at: _Partition, read: int, record: KafkaRecord) -> _Item[C] | None:
        tell = at.learn_to is None and record.offset >= at.told
        try:
            reading = self._kind.read(record)
        except ContractError as error:
            return self._unreadable(record, error) if tell else None
        known = self._versions.known(reading.key)
        if record.offset >= read:
            turn = _turn(known, reading)
            if turn is not None:
                found = Known(reading.version, reading.mark, turn)
                self._versions.note(reading.key, record.partition, found, record.timestamp, self._sweep)
        else:  # it was noted before a restart, which may have come before it was told
            turn = known.turn if known is not None and known[:2] == (reading.version, reading.mark) else None
        if at.sweeping:
            self._versions.see(reading.key, self._sweep)
        if turn is None or not tell:
            return None
        name = reading.key.decode(errors="replace")
        return _Item(record.partition, reading.change(change_id(name, reading.version, turn)), record.offset)

    def _unreadable(self, record: KafkaRecord, error: ContractError) -> _Item[C] | None:
        if self._on_unreadable is not None:
            self._on_unreadable(record, error)
            return None
        place = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        why = UnreadableError(
            error.reason,
            f"a record cannot be read ({place}): {error}; upgrade touchline-sdk, or give on_unreadable= to go on",
        )
        return _Item(record.partition, None, record.offset, error=why)

    def reached(self, partition: int, position: int, end: int) -> int | None:
        """Note that a partition was read up to `position` of the log, which ends at `end` now.

        Returns the offset to go back to, if the member has learnt what it must know before it tells.
        """
        at = self._partitions[partition]
        at.position = max(at.position, position)
        if at.sweeping and position >= end:
            at.sweeping = False
            unseen = self._versions.unseen(partition, self._sweep)
            self._queue += [self._lost(partition, key, known) for key, known in unseen]
        if at.learn_to is not None and position >= at.learn_to:
            at.learn_to, at.read, at.position = None, max(at.read, position), at.told
            return None if at.told >= position else at.told
        if position >= end:
            self._note_fresh(partition, at)
        return None

    def _note_fresh(self, partition: int, at: _Partition) -> None:
        now = self._clock()
        if now - at.fresh_at < _NOTE_SECONDS or any(
            one.lost and one.partition == partition for one in self._pending()
        ):
            return
        at.read, at.fresh_at = max(at.read, at.position), now
        with self._versions.transaction():
            self._versions.put_place(partition, Place(at.read, _or_none(at.committed), now))

    def _lost(self, partition: int, key: bytes, known: Known) -> _Item[C]:
        assert self._kind.gone is not None
        tenant, name = parts(key)
        found = Known(known.version, GONE, known.turn + 1)
        id_ = change_id(key.decode(errors="replace"), found.version, found.turn)
        return _Item(partition, self._kind.gone(tenant, name, found.version, id_), lost=(key, found))

    def next(self) -> C | None:
        """The next change to tell; None if there is none now. It stays the same until `done`.

        Raises UnreadableError, again and again, for a record that cannot be read.
        """
        if self._current is None and self._queue:
            self._current = self._queue.popleft()
        if self._current is None:
            return None
        if self._current.error is not None:
            raise self._current.error
        return self._current.change

    def done(self) -> None:
        """The change that `next` gave was told: it need not be told again. What cannot be read is never done."""
        current = self._current
        if current is None or current.error is not None:
            return
        self._current = None
        if current.lost is not None:
            key, end = current.lost
            known = self._versions.known(key)
            if known is not None and known.version > end.version:
                return  # it has begun anew meanwhile
            with self._versions.transaction():
                self._versions.note(key, current.partition, end, round(self._clock() * 1000), self._sweep)

    def commits(self) -> dict[int, int]:
        """Partition → the offset that the group may commit now, where it has moved."""
        waiting: dict[int, int] = {}
        for item in self._pending():
            if item.offset is not None:
                waiting.setdefault(item.partition, item.offset)
        found = {}
        for partition, at in self._partitions.items():
            offset = max(waiting.get(partition, at.position if at.learn_to is None else at.told), at.told)
            if offset > at.committed:
                found[partition] = offset
        return found

    def committed(self, offsets: dict[int, int]) -> None:
        """The group has these offsets."""
        for partition, offset in offsets.items():
            if partition in self._partitions:
                self._partitions[partition].committed = offset

    def forget(self) -> None:
        """Forget versions that stand for nothing any more."""
        before = round(self._clock() * 1000) - self._kind.forget_ms
        self._versions.forget(before, all_=not self._kind.topic.compacted)

    def _pending(self) -> Iterator[_Item[C]]:
        """What is not told: the change that is being told, and those that wait."""
        if self._current is not None:
            yield self._current
        yield from self._queue


def _or_none(offset: int) -> int | None:
    return None if offset == _NONE else offset


def _turn(known: Known | None, reading: Reading[C]) -> int | None:
    """The how-many-th change of its version a record is, from 0; None if it is none."""
    if known is None or reading.version > known.version:
        return 0
    if reading.version == known.version and reading.mark != known.mark:
        return known.turn + 1
    return None
