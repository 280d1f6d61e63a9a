"""What subscribers have been told of one profile's signals, and what they must hear next.

Subscribers must hear of the signals that came to hold and of those that no longer do. Which ones they know of follows
from the timeline and the last Publication; what a crash may have cut off is in the write-ahead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.records import JourneySignal, SignalReason
from streams.journeys.signals.published import NEVER, Publication
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.journeys.state.native_fold import AnyFold
from streams.journeys.state.signals import Signal, raised
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True)
class News:
    """What subscribers must hear: a signal that holds (no reason), or that holds no more, why, and who has it now."""

    signal: Signal
    reason: SignalReason | None = None
    successor: str | None = None

    def record(self, tenant: str, profile_id: str, version: int) -> JourneySignal:
        """As the topic carries it."""
        told = raised(tenant, profile_id, self.signal, version)
        if self.reason is not None:
            told["status"], told["reason"], told["successor"] = "RETRACTED", self.reason, self.successor
        return told


@dataclass(slots=True)
class Told:
    """What the subscribers of one profile's signals know."""

    #: by subject, the signals that hold as far as subscribers know; None after a restart, and after a compression:
    #: `recall` works them out
    signals: dict[str, Signal] | None = None
    unconfirmed: bool = (
        False  #: whether subscribers may know other signals, so that the next publication repeats all
    )
    last: Publication | None = (
        None  #: the last publication; None before the first, and when the profile is empty
    )

    @property
    def due(self) -> int | None:
        """The next deadline after the last publication, UTC ms; None if there is none."""
        return None if self.last is None or self.last.due == NEVER else self.last.due

    def recall(self, fold: AnyFold, now: int, meanings: int) -> None:
        """Work out which signals subscribers know of: after a restart as far as that can be known, else exactly.

        `now` (UTC ms) is used if no publication under the same `meanings` tells the time.
        """
        last = self.last
        confirmed = last is not None and last.meanings == meanings
        held = fold.signals(last.now if last and confirmed else now)
        self.signals = {signal.subject_id: signal for signal in held}
        self.unconfirmed = not confirmed

    def publish(
        self, key: bytes, timeline: Timeline, fold: AnyFold, effects: Effects, write_ahead: SignalWriteAhead, now: int,
        meanings: int, applied: int, *, by_deadline: bool = False,
    ) -> list[bytes]:  # fmt: skip
        """The encoded JourneySignals to publish at `now` (UTC ms), noted here and in the write-ahead.

        `applied` is the version of the newest input that the partition has applied for good.

        Of a profile that is empty, no signal holds.
        """
        if self.last is not None:
            # what the clock made due is not open again because events lag behind
            now = max(now, self.last.now)
        now = write_ahead.now(key, now)
        empty = timeline.empty
        holding = [] if empty else fold.signals(now)
        # a deadline that passes without an input tells more than that input did: it needs the next version
        version = 2 * timeline.version + by_deadline
        # inputs that are to be repeated may raise again what is perhaps raised
        repeats = by_deadline and self.last is None and timeline.version > applied
        perhaps = [] if repeats else list(write_ahead.settle(key, version))
        published = []
        for news in self.diff(holding, effects, fold, perhaps):
            encoded = JOURNEY_SIGNAL.encode(news.record(timeline.tenant, timeline.profile_id, version))
            published.append(encoded)
            if news.reason is None:
                write_ahead.raising(key, version, now, news.signal.event, encoded)
        self.last = None
        if not empty:
            due = fold.next_deadline(now)
            self.last = Publication(timeline.version, now, NEVER if due is None else due, meanings)
        return published

    def diff(
        self, holding: list[Signal], effects: Effects, fold: AnyFold, perhaps: Iterable[Signal] = ()
    ) -> Iterator[News]:
        """Compare what holds now with what was published, and note it as published.

        When unconfirmed, all that holds is repeated: nobody knows what subscribers have heard. What was perhaps
        raised is retracted unless it holds, and raised again if it does.
        """
        before = self.signals or {}
        now = {signal.subject_id: signal for signal in holding}
        for subject_id, signal in now.items():
            if self.unconfirmed or before.get(subject_id) != signal:
                yield News(signal)
        for subject_id, signal in ({signal.subject_id: signal for signal in perhaps} | before).items():
            if subject_id not in now:
                yield _retracted(signal, effects, fold)
        self.signals = now
        self.unconfirmed = False


def _retracted(signal: Signal, effects: Effects, fold: AnyFold) -> News:
    """Why a signal holds no more: its touchpoint left, or what the journey knows has changed."""
    about = signal.event
    owners = [effects.gone[about]] if about in effects.gone else []
    owners += (owner for seen, owner in effects.gone_summaries if about in seen)
    if owners:
        return News(signal, "ERASED") if owners[0] is None else News(signal, "MOVED", owners[0])
    return News(signal, "LET_GO" if fold.lets_go(signal) else "CONTRADICTED")
