"""Which signals subscribers must hear of: those that came to hold, and those that no longer do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.records import JourneySignal, SignalReason
from streams.journeys.state.fold import Fold
from streams.journeys.state.signals import Signal, raised
from streams.journeys.timeline.timeline import Effects, Timeline


@dataclass(frozen=True, slots=True)
class Told:
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


def diff(
    timeline: Timeline, holding: list[Signal], effects: Effects, fold: Fold, perhaps: Iterable[Signal] = ()
) -> Iterator[Told]:
    """Compare what holds now with what was published, and note it as published.

    An unconfirmed timeline repeats all that holds: nobody knows what its subscribers have heard. What was perhaps
    raised is retracted unless it holds, and raised again if it does.
    """
    before = timeline.published or {}
    now = {signal.subject_id: signal for signal in holding}
    for subject_id, signal in now.items():
        if timeline.unconfirmed or before.get(subject_id) != signal:
            yield Told(signal)
    for subject_id, signal in ({signal.subject_id: signal for signal in perhaps} | before).items():
        if subject_id not in now:
            yield _retracted(signal, effects, fold)
    timeline.published = now
    timeline.unconfirmed = False


def _retracted(signal: Signal, effects: Effects, fold: Fold) -> Told:
    """Why a signal holds no more: its touchpoint left, or what the journey knows has changed."""
    about = signal.event
    owners = [effects.gone[about]] if about in effects.gone else []
    owners += (owner for seen, owner in effects.gone_summaries if about in seen)
    if owners:
        return Told(signal, "ERASED") if owners[0] is None else Told(signal, "MOVED", owners[0])
    return Told(signal, "LET_GO" if fold.lets_go(signal) else "CONTRADICTED")
