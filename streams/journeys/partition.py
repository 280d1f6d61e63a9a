"""The journeys of one partition, their changelog keys, and when their deadlines fall due."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.encoding.record_types import FROZEN_SUMMARY, IDENTITY_ASSIGNMENT
from schemas.records import IdentityAssignment, Touchpoint
from streams.journeys.cache import JourneyCache
from streams.journeys.changelog_keys import Kind, node_name, node_of_name, parse
from streams.journeys.journey import Journey
from streams.journeys.memberships import Memberships
from streams.journeys.prediction.predictions import Predictions
from streams.journeys.signals.published import Publication
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from streams.runtime.publisher import OutgoingRecord
from streams.runtime.transaction import Change

#: A deadline that has passed at any time.
LONG_DUE = -(2**63)
#: Deadlines that hold no more and are kept beside as many as hold, until they pass: a queue has no way to take one out.
SPARE_DEADLINES = 1_000


@dataclass(slots=True)
class JourneyPartition:
    """What the journeys agent keeps for one partition. A journey's key is `tenant/profile`."""

    number: int
    journeys: JourneyCache = field(default_factory=JourneyCache)
    watermark: int = 0  #: newest event time seen, ms
    last_input_at: float = 0.0  #: clock, seconds
    applied: int = -1  #: version of the newest input that this worker or a former owner has applied for good
    #: the accounts that these profiles belong to
    accounts: Memberships = field(default_factory=Memberships)
    predictions: Predictions | None = None  #: None when they are switched off
    write_ahead: SignalWriteAhead = field(default_factory=SignalWriteAhead)
    _deadlines: list[tuple[int, bytes]] = field(default_factory=list)
    _scheduled: dict[bytes, int] = field(default_factory=dict)

    def journey(self, key: bytes, tenant: str, profile_id: str) -> Journey:
        """The journey of a profile, empty if it is new."""
        found = self.journeys.get(key)
        if found is None:
            found = self.journeys[key] = Journey(Timeline(tenant, profile_id))
        return found

    def hear(self, touchpoint: Touchpoint) -> None:
        """Let event time advance to a touchpoint's, though not past its reception.

        A source whose clock is ahead would otherwise carry the others' deadlines past what still waits in Kafka.
        """
        self.watermark = max(self.watermark, min(touchpoint["occurred_at"], touchpoint["received_at"]))

    def now(self, clock: float, *, idle: bool) -> int:
        """The time that deadlines go by, ms: the newest event's, or the clock's when nothing comes in."""
        clock_ms = int(clock * 1000)
        return clock_ms if idle else min(self.watermark, clock_ms)

    def schedule(self, key: bytes, due: int | None) -> None:
        """Note when a profile's next deadline falls due; None for never."""
        if due is None:
            self._scheduled.pop(key, None)
        elif self._scheduled.get(key) != due:
            self._scheduled.pop(key, None)  # a dict would keep the key that it has, beside the timeline's
            self._scheduled[key] = due
            heapq.heappush(self._deadlines, (due, key))
            if len(self._deadlines) > 2 * len(self._scheduled) + SPARE_DEADLINES:
                self._deadlines = [(due, key) for key, due in self._scheduled.items()]
                heapq.heapify(self._deadlines)

    def due(self, now: int) -> Iterator[tuple[int, bytes]]:
        """The profiles whose deadline has passed, each once, with that deadline (UTC ms, or LONG_DUE)."""
        while self._deadlines and self._deadlines[0][0] < now:
            due, key = heapq.heappop(self._deadlines)
            if self._scheduled.get(key) == due:
                del self._scheduled[key]
                yield due, key

    def fire(
        self, key: bytes, now: int, meanings: int
    ) -> tuple[list[OutgoingRecord], list[OutgoingRecord]] | None:
        """Publish the signals of a journey of the native core, whose deadline has passed at `now` (UTC ms).

        Returns the signals and the changelog records to write after them; None if Python must do it.
        """
        native = self.journeys.native
        if native is None or key in self.write_ahead.perhaps:
            return None
        found = native.fire(key, now, meanings)
        if found is None:
            return None
        signals, ahead, publications, deadlines = found
        self.write_ahead.raising_all(ahead)
        for profile, due in deadlines:
            self.schedule(profile, due)
        return signals, publications

    def changelog(self, key: bytes, effects: Effects) -> Iterator[tuple[bytes, bytes | None]]:
        """The changelog records of a profile's changes: summaries before the touchpoints that went into them."""
        for node, summary in effects.summaries.items():
            name = key + Kind.SUMMARY + node_name(node)
            if summary is not None and node in effects.cleared:
                yield name, None
            yield name, None if summary is None else FROZEN_SUMMARY.encode(summary.record())
        for entry_id, value in effects.entries.items():
            name = key + Kind.ENTRY + entry_id.encode()
            if value is not None and entry_id in effects.cleared:
                yield name, None
            yield name, value
        for node, assignment in effects.pointers.items():
            yield key + Kind.POINTER + node_name(node), IDENTITY_ASSIGNMENT.encode(assignment)

    def written_last(self) -> list[OutgoingRecord]:
        """The last changelog records of a fetch: of models, and what was written ahead goes."""
        models = () if self.predictions is None else self.predictions.changelog()
        return [*((key, value, None) for key, value in models), *self.write_ahead.done()]

    def publication(self, key: bytes) -> tuple[bytes, bytes | None]:
        """The changelog record of when a profile was published last; gone with the profile."""
        last = self.journeys[key].told.last
        return key + Kind.PUBLICATION, None if last is None else last.encode()

    def restore_some(self, records: list[Any], start: int) -> int:
        """Apply changelog records from `start` on in the native core; returns the place of the first that it left."""
        done, newest, deadlines = self.journeys.restore(records, start, self._scheduled)
        if newest is not None:
            self.watermark = max(self.watermark, newest)
        for key, due in deadlines:
            self.schedule(key, due)
        return done

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        profile, kind, rest = parse(key)
        if kind in (Kind.CLAIM, Kind.MARK):
            return
        tenant, _, profile_id = profile.decode().partition("/")
        if kind is Kind.MODEL:
            if self.predictions is not None and value is not None:
                self.predictions.restore(tenant, value)
            return
        if kind is Kind.WRITE_AHEAD:
            self.write_ahead.restore(profile, int(rest), value)
            return
        journey = self.journey(profile, tenant, profile_id)
        timeline, told = journey.timeline, journey.told
        journey.path = None
        if kind is Kind.ENTRY:
            timeline.restore_entry(rest.decode(), value)
            if timeline.order:
                self.watermark = max(self.watermark, timeline.order[-1][0])
                if told.last is None and profile not in self._scheduled:
                    self.schedule(profile, timeline.order[-1][0])
        elif kind is Kind.PUBLICATION:
            self._restore_publication(profile, journey, value)
        elif kind is Kind.SUMMARY:
            timeline.restore_summary(node_of_name(rest), value)
        elif value is not None:
            assignment: IdentityAssignment = IDENTITY_ASSIGNMENT.decode(value)
            timeline.restore_pointer(assignment)
        if self.journeys.crowded:
            self.journeys.evict()

    def correct(self, key: bytes, value: bytes | None) -> Iterator[tuple[bytes, bytes | None]]:
        """Take note of a record that a former owner wrote after recovery. Returns what the changelog should hold.

        The former owner has applied a part of the inputs that the owner has applied or is about to apply, so the
        owner's memory is right about journeys. A former owner announces no signal without a write-ahead record, which
        the owner cannot know otherwise. If the former owner has deleted that record, the changelog gets it back: the
        correction of its publication takes away what else would tell a next owner that there is something to retract.
        """
        profile, kind, rest = parse(key)
        if kind in (Kind.CLAIM, Kind.MARK):
            return
        if kind is Kind.MODEL:
            return  # models depend on the order of arrival: one is as good as another
        tenant, _, profile_id = profile.decode().partition("/")
        journey = self.journey(profile, tenant, profile_id)
        if kind is Kind.WRITE_AHEAD:
            if value is not None:
                self.write_ahead.restore(profile, int(rest), value)
            elif (undecided := self.write_ahead.record(profile, int(rest))) is not None:
                yield key, undecided
            return
        current = _current(journey, kind, rest)
        if current == value:
            return
        if value is not None and current is not None and _stays(key, value, current):
            yield key, None
        yield key, current

    def _restore_publication(self, profile: bytes, journey: Journey, value: bytes | None) -> None:
        told = journey.told
        if value is None:  # as if there had been none: compaction removes it
            told.last, journey.timeline.version = None, 0
            self.schedule(profile, None)
            return
        last = Publication.decode(value)
        if told.last is None or told.last <= last:
            told.last, journey.timeline.version = last, last.version
            self.schedule(profile, told.due)

    def schedule_undecided(self) -> None:
        """Schedule the profiles with signals that were perhaps raised and whose inputs are not going to be repeated.

        Other inputs than those that raised them may have been applied since, and nobody should wait for one more.
        Advances the versions of these profiles to `applied`: a decision must have a higher version than what it is on.
        """
        for key in self.write_ahead.profiles():
            tenant, _, profile_id = key.decode().partition("/")
            journey = self.journey(key, tenant, profile_id)  # empty, if its changelog records do not follow
            timeline = journey.timeline
            newest = self.applied if journey.told.last is None else max(timeline.version, self.applied)
            if self.write_ahead.ripe(key, 2 * newest + 1):
                timeline.version = newest
                self.schedule(key, LONG_DUE)

    def dump(self, join: Callable[[list[Change]], bytes]) -> list[bytes]:
        """The sections of a checkpoint: what `load` needs. Between two fetches only; the core must be native.

        `join` makes bytes of changelog records: what Python keeps is written down as the changelog has it.
        """
        native = self.journeys.native
        assert native is not None
        dictionary, dumped, left = native.dump(self._scheduled)
        changes: list[Change] = []
        for key in (*self.journeys.warm, *self.journeys.compressed, *left):
            timeline = self.journeys[key].timeline
            entries: dict[str, bytes | None] = {entry.id: entry.value for entry in timeline.held()}
            whole = Effects(
                entries=entries, pointers=dict(timeline.pointers), summaries=dict(timeline.summaries)
            )
            changes += [*self.changelog(key, whole), self.publication(key)]
        if self.predictions is not None:
            changes += self.predictions.dump()
        self.journeys.evict()
        return [dictionary, dumped, join(changes)]

    def load(self, sections: list[bytes], split: Callable[[bytes], list[Change]]) -> None:
        """Fill an empty partition with what `dump` wrote. Raises ValueError, and is of no more use then."""
        native = self.journeys.native
        if native is None or len(sections) != 3:
            raise ValueError("it has other sections")
        dictionary, dumped, changes = sections
        for key, due in native.load(dictionary, dumped):
            self.schedule(key, due)
        for key, value in split(changes):
            if value is not None:
                self.restore(key, value)

    def sizes(self) -> dict[str, int]:
        """What it holds, by kind."""
        return {
            "profiles": len(self.journeys),
            "objects": self.journeys.objects,
            "deadlines": len(self._scheduled),
        }

    def restored(self) -> None:
        """Compress what recovery has read."""
        self.journeys.evict()

    def caught_up(self) -> None:
        """Compress what a standby copy has read."""
        self.journeys.evict()


def _stays(key: bytes, value: bytes, current: bytes) -> bool:
    """Whether a restore that reads a record, and then the right one, keeps anything of the first: the better of two."""
    profile, kind, rest = parse(key)
    tenant, _, profile_id = profile.decode().partition("/")
    restored = JourneyPartition(0)
    restored.restore(key, value)
    restored.restore(key, current)
    return _current(restored.journey(profile, tenant, profile_id), kind, rest) != current


def _current(journey: Journey, kind: Kind, rest: bytes) -> bytes | None:
    """What the changelog should hold about a profile under a key of this kind."""
    if kind is Kind.ENTRY:
        entry = journey.timeline.entry(rest.decode())
        return None if entry is None else entry.value
    if kind is Kind.PUBLICATION:
        return None if journey.told.last is None else journey.told.last.encode()
    node = node_of_name(rest)
    if kind is Kind.SUMMARY:
        summary = journey.timeline.summaries.get(node)
        return None if summary is None else FROZEN_SUMMARY.encode(summary.record())
    assignment = journey.timeline.pointers.get(node)
    return None if assignment is None else IDENTITY_ASSIGNMENT.encode(assignment)
