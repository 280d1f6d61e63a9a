"""The timelines of one partition, their changelog keys, and when their deadlines fall due."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.encoding.record_types import FROZEN_SUMMARY, IDENTITY_ASSIGNMENT
from schemas.records import IdentityAssignment, Touchpoint
from streams.journeys.memberships import Memberships
from streams.journeys.prediction.predictions import MODEL_KIND, Predictions
from streams.journeys.signals.published import NEVER, Publication
from streams.journeys.signals.write_ahead import Intentions
from streams.journeys.timeline.cache import Timelines
from streams.journeys.timeline.timeline import Effects, Timeline

_ENTRY = b"/e/"
_POINTER = b"/p/"
_FROZEN = b"/f/"
_PUBLICATION = b"/s/"
#: A deadline that has passed at any time.
LONG_DUE = -(2**63)
#: Deadlines that hold no more and are kept beside as many as hold, until they pass: a queue has no way to take one out.
SPARE_DEADLINES = 1_000


@dataclass(slots=True)
class JourneyPartition:
    """What the journeys agent keeps for one partition. A timeline's key is `tenant/profile`."""

    number: int
    timelines: Timelines = field(default_factory=Timelines)
    watermark: int = 0  #: newest event time seen, ms
    last_input_at: float = 0.0  #: clock, seconds
    applied: int = -1  #: version of the newest input that this worker or a former owner has applied for good
    #: the accounts that these profiles belong to
    accounts: Memberships = field(default_factory=Memberships)
    predictions: Predictions | None = None  #: None when they are switched off
    intentions: Intentions = field(default_factory=Intentions)
    _deadlines: list[tuple[int, bytes]] = field(default_factory=list)
    _scheduled: dict[bytes, int] = field(default_factory=dict)

    def timeline(self, key: bytes, tenant: str, profile_id: str) -> Timeline:
        """The timeline of a profile, empty if it is new."""
        found = self.timelines.get(key)
        if found is None:
            found = self.timelines[key] = Timeline(tenant, profile_id)
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

    def due(self, now: int) -> Iterator[bytes]:
        """The profiles whose deadline has passed, each once."""
        while self._deadlines and self._deadlines[0][0] < now:
            due, key = heapq.heappop(self._deadlines)
            if self._scheduled.get(key) == due:
                del self._scheduled[key]
                yield key

    def changelog(self, key: bytes, effects: Effects) -> Iterator[tuple[bytes, bytes | None]]:
        """The changelog records of a profile's changes: summaries before the touchpoints that went into them."""
        for (type_, name), frozen in effects.frozen.items():
            value = None if frozen is None else FROZEN_SUMMARY.encode(frozen.record())
            yield key + _FROZEN + f"{type_}:{name}".encode(), value
        for entry_id, value in effects.entries.items():
            yield key + _ENTRY + entry_id.encode(), value
        for (type_, name), assignment in effects.pointers.items():
            yield key + _POINTER + f"{type_}:{name}".encode(), IDENTITY_ASSIGNMENT.encode(assignment)

    def publication(self, key: bytes) -> tuple[bytes, bytes | None]:
        """The changelog record of when a profile was published last; gone with the profile."""
        last = self.timelines[key].last
        return key + _PUBLICATION, None if last is None else last.encode()

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        tenant, profile_id, kind, rest = key.split(b"/", 3)
        if kind == MODEL_KIND:
            if self.predictions is not None and value is not None:
                self.predictions.restore(tenant.decode(), value)
            return
        profile = tenant + b"/" + profile_id
        timeline = self.timeline(profile, tenant.decode(), profile_id.decode())
        timeline.trail = None
        if kind == b"e":
            timeline.restore_entry(rest.decode(), value)
            if timeline.order:
                self.watermark = max(self.watermark, timeline.order[-1][0])
                if timeline.last is None and profile not in self._scheduled:
                    self.schedule(profile, timeline.order[-1][0])
        elif kind == b"s":
            self._restore_publication(profile, timeline, value)
        elif kind == b"i":
            self.intentions.restore(profile, int(rest), value)
        elif kind == b"f":
            type_, _, name = rest.decode().partition(":")
            timeline.restore_frozen((type_, name), value)
        elif value is not None:
            assignment: IdentityAssignment = IDENTITY_ASSIGNMENT.decode(value)
            timeline.restore_pointer(assignment)
        if self.timelines.crowded:
            self.timelines.cool()

    def correct(self, key: bytes, value: bytes | None) -> Iterator[tuple[bytes, bytes | None]]:
        """Take note of a record that a former owner wrote after recovery. Returns what the changelog should hold.

        The former owner has applied a part of the inputs that the owner has applied or is about to apply, so the
        owner's memory is right about timelines. A former owner announces no signal without a write-ahead record, which
        the owner cannot know otherwise.
        """
        tenant, profile_id, kind, rest = key.split(b"/", 3)
        profile = tenant + b"/" + profile_id
        if kind == MODEL_KIND:
            return  # models depend on the order of arrival: one is as good as another
        timeline = self.timeline(profile, tenant.decode(), profile_id.decode())
        if kind == b"i":
            if value is not None:
                self.intentions.restore(profile, int(rest), value)
            return
        current = self._current(timeline, kind, rest.decode())
        if current != value:
            yield key, current

    @staticmethod
    def _current(timeline: Timeline, kind: bytes, rest: str) -> bytes | None:
        """What the changelog should hold about a profile under a key of this kind."""
        if kind == b"e":
            entry = timeline.entry(rest)
            return None if entry is None else entry.value
        if kind == b"s":
            return None if timeline.last is None else timeline.last.encode()
        type_, _, name = rest.partition(":")
        if kind == b"f":
            frozen = timeline.frozen.get((type_, name))
            return None if frozen is None else FROZEN_SUMMARY.encode(frozen.record())
        assignment = timeline.pointers.get((type_, name))
        return None if assignment is None else IDENTITY_ASSIGNMENT.encode(assignment)

    def _restore_publication(self, profile: bytes, timeline: Timeline, value: bytes | None) -> None:
        if value is None:
            self.schedule(profile, None)
            return
        last = Publication.decode(value)
        if timeline.last is None or timeline.last <= last:
            timeline.last, timeline.version = last, last.version
            self.schedule(profile, None if last.due == NEVER else last.due)

    def schedule_undecided(self) -> None:
        """Schedule the profiles with signals that were perhaps raised and whose inputs are not going to be repeated.

        Other inputs than those that raised them may have been applied since, and nobody should wait for one more.
        Advances the versions of these profiles to `applied`: a decision must have a higher version than what it is on.
        """
        for key in self.intentions.profiles():
            timeline = self.timelines[key]
            newest = self.applied if timeline.last is None else max(timeline.version, self.applied)
            if self.intentions.ripe(key, 2 * newest + 1):
                timeline.version = newest
                self.schedule(key, LONG_DUE)

    def restored(self) -> None:
        """Compress what recovery has read."""
        self.timelines.cool()
