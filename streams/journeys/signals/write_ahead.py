"""Signals about to be raised, written ahead: what subscribers may have heard although a crash cut the fetch off.

A fetch repeated after a crash may be longer, and contradict what its first part raised; then only this tells that
there is something to retract. The record is in the changelog before the signals go out, and deleted after the
publication itself is in the changelog. What recovery still finds is perhaps raised.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.encoding.record_types import JOURNEY_SIGNAL, SIGNALS_WRITTEN_AHEAD
from schemas.encoding.signal_encoders import signals_written_ahead
from schemas.records import SignalWrittenAhead
from streams.journeys.changelog_keys import Kind
from streams.journeys.state.signals import Signal

#: A changelog record as an outbox takes it: key, value, and no headers.
Written: TypeAlias = tuple[bytes | None, bytes | None, list[tuple[str, bytes]] | None]


@dataclass(frozen=True, slots=True)
class _Perhaps:
    now: int
    signals: tuple[Signal, ...]
    record: bytes  #: as it is in the changelog


@dataclass(slots=True)
class SignalWriteAhead:
    """The signals that one partition writes ahead.

    Versions are JourneySignal's: they name a publication of a profile.
    """

    #: by changelog key, time and signals of a publication, or the encoded record of one of the native core's
    _raising: dict[bytes, tuple[int, list[tuple[str, bytes]]] | bytes] = field(default_factory=dict)
    _perhaps: dict[bytes, dict[int, _Perhaps]] = field(default_factory=dict)
    _done: list[bytes] = field(default_factory=list)

    def raising(self, key: bytes, version: int, now: int, event: str, signal: bytes) -> None:
        """Note that a publication is about to raise a signal, an encoded JourneySignal; `now` is its time, ms."""
        about = self._raising.setdefault(_record_key(key, version), (now, []))
        assert not isinstance(about, bytes), "the native core and Python publish one profile"
        about[1].append((event, signal))

    def raising_all(self, records: Iterable[tuple[bytes, bytes, None]]) -> None:
        """Note publications of the native core that are about to raise signals: `ahead` returns these records."""
        for key, value, _ in records:
            self._raising[key] = value

    @property
    def perhaps(self) -> Mapping[bytes, object]:
        """By profile, what is perhaps raised."""
        return self._perhaps

    def ahead(self) -> list[Written]:
        """The changelog records to write before the outputs."""
        return [
            (key, about if isinstance(about, bytes) else signals_written_ahead(*about), None)
            for key, about in self._raising.items()
        ]

    def done(self) -> list[Written]:
        """The changelog records to write after the outputs: what was written ahead, and what it settled, goes."""
        if not (self._raising or self._done):
            return []
        gone: list[Written] = [(key, None, None) for key in dict.fromkeys((*self._raising, *self._done))]
        self._raising, self._done = {}, []
        return gone

    def now(self, key: bytes, now: int) -> int:
        """A time that no publication of the profile was ahead of: what was due then is due still."""
        perhaps = self._perhaps.get(key)
        return max(now, *(raised.now for raised in perhaps.values())) if perhaps else now

    def settle(self, key: bytes, version: int) -> Iterator[Signal]:
        """The signals that are perhaps raised, and that a publication of this version decides on.

        An earlier version would lose against them, and the inputs that they came from are still to be repeated.
        """
        for raised in self.ripe(key, version):
            yield from self._perhaps[key].pop(raised).signals
            self._done.append(_record_key(key, raised))
        if key in self._perhaps and not self._perhaps[key]:
            del self._perhaps[key]

    def ripe(self, key: bytes, version: int) -> list[int]:
        """The versions of what is perhaps raised and that a publication of this version decides on."""
        return [raised for raised in self._perhaps.get(key, ()) if raised <= version]

    def record(self, key: bytes, version: int) -> bytes | None:
        """The changelog record of what a publication perhaps raised; None if that is settled, or nothing."""
        perhaps = self._perhaps.get(key, {}).get(version)
        return None if perhaps is None else perhaps.record

    @property
    def unsettled(self) -> int:
        """Of how many profiles something is perhaps raised."""
        return len(self._perhaps)

    def profiles(self) -> Iterable[bytes]:
        """The profiles of which something is perhaps raised."""
        return list(self._perhaps)

    def restore(self, key: bytes, version: int, value: bytes | None) -> None:
        """Apply one changelog record."""
        if value is not None:
            self._perhaps.setdefault(key, {})[version] = _decode(value)
        elif key in self._perhaps:
            self._perhaps[key].pop(version, None)
            if not self._perhaps[key]:
                del self._perhaps[key]


def _record_key(key: bytes, version: int) -> bytes:
    # a key for each publication: a worker that lost the partition deletes nobody's but its own
    return key + Kind.WRITE_AHEAD + str(version).encode()


def _decode(value: bytes) -> _Perhaps:
    record = SIGNALS_WRITTEN_AHEAD.decode(value)
    return _Perhaps(record["now"], tuple(map(_signal, record["signals"])), value)


def _signal(written: SignalWrittenAhead) -> Signal:
    record = JOURNEY_SIGNAL.decode(written["signal"])
    return Signal(
        record["kind"], record["subject_id"], record["occurred_at"], record["rule"],
        tuple(record["event_ids"]), record["details"], written["event"],
    )  # fmt: skip
