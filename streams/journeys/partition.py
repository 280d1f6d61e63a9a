"""The journeys of one partition, their changelog keys, and when their deadlines fall due."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

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
    #: the accounts that these profiles belong to
    accounts: Memberships = field(default_factory=Memberships)
    predictions: Predictions | None = None  #: None when they are switched off
    write_ahead: SignalWriteAhead = field(default_factory=SignalWriteAhead)
    #: works out which signals subscribers know of, if the journey does not say
    recall: Callable[[Journey], None] = field(default=lambda _: None)
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

    def due(self, now: int) -> Iterator[bytes]:
        """The profiles whose deadline has passed, each once."""
        while self._deadlines and self._deadlines[0][0] < now:
            due, key = heapq.heappop(self._deadlines)
            if self._scheduled.get(key) == due:
                del self._scheduled[key]
                yield key

    def changelog(self, key: bytes, effects: Effects) -> Iterator[tuple[bytes, bytes | None]]:
        """The changelog records of a profile's changes: summaries before the touchpoints that went into them."""
        for node, summary in effects.summaries.items():
            value = None if summary is None else FROZEN_SUMMARY.encode(summary.record())
            yield key + Kind.SUMMARY + node_name(node), value
        for entry_id, value in effects.entries.items():
            yield key + Kind.ENTRY + entry_id.encode(), value
        for node, assignment in effects.pointers.items():
            yield key + Kind.POINTER + node_name(node), IDENTITY_ASSIGNMENT.encode(assignment)

    def publication(self, key: bytes) -> tuple[bytes, bytes | None]:
        """The changelog record of when a profile was published last; gone with the profile."""
        last = self.journeys[key].told.last
        return key + Kind.PUBLICATION, None if last is None else last.encode()

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        profile, kind, rest = parse(key)
        tenant, _, profile_id = profile.decode().partition("/")
        if kind is Kind.MODEL:
            if self.predictions is not None and value is not None:
                self.predictions.restore(tenant, value)
            return
        journey = self.journey(profile, tenant, profile_id)
        timeline, told = journey.timeline, journey.told
        journey.path = None
        if timeline.settled:
            self._doubt(profile, journey)
        if kind is Kind.ENTRY:
            timeline.restore_entry(rest.decode(), value)
            if timeline.order:
                self.watermark = max(self.watermark, timeline.order[-1][0])
                if told.last is None and profile not in self._scheduled:
                    self.schedule(profile, timeline.order[-1][0])
        elif kind is Kind.PUBLICATION:
            self._restore_publication(profile, journey, value)
        elif kind is Kind.WRITE_AHEAD:
            # who wrote late that it is settled knows that it went out; once we have asked the timeline what was
            # heard, only this still tells
            if value is not None or not told.recalled:
                self.write_ahead.restore(profile, int(rest), value)
        elif kind is Kind.SUMMARY:
            timeline.restore_summary(node_of_name(rest), value)
        elif value is not None:
            assignment: IdentityAssignment = IDENTITY_ASSIGNMENT.decode(value)
            timeline.restore_pointer(assignment)
        if self.journeys.crowded:
            self.journeys.evict()

    def _doubt(self, profile: bytes, journey: Journey) -> None:
        """Somebody else wrote about a journey that this worker has used since it began.

        A zombie may have written what has left the timeline, so the pointers apply again. Its record may also take
        away a touchpoint about which this worker has raised a signal. The zombie retracted nothing, so the signal is
        perhaps raised.
        """
        timeline, told = journey.timeline, journey.told
        timeline.settled = False
        self.recall(journey)
        if told.signals:
            now = 0 if told.last is None else told.last.now
            self.write_ahead.suspect(profile, 2 * timeline.version, now, told.signals.values())
        told.signals = None

    def _restore_publication(self, profile: bytes, journey: Journey, value: bytes | None) -> None:
        if value is None:
            self.schedule(profile, None)
            return
        last = Publication.decode(value)
        told = journey.told
        if told.last is None or told.last <= last:
            told.last, journey.timeline.version = last, last.version
            self.schedule(profile, told.due)

    def restored(self) -> None:
        """Continue where time stood, with the deadlines that are still ahead."""
        self.journeys.evict()
        for key in self.write_ahead.profiles():
            # other inputs than those that raised it may have been applied since: nobody should wait for one more
            journey = self.journeys[key]
            ripe = self.write_ahead.ripe(key, 2 * journey.timeline.version + 1)
            if journey.told.last is not None and ripe:
                self.schedule(key, LONG_DUE)
