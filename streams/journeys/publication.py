"""Which signals subscribers must hear of: those that came to hold, and those that no longer do."""

from collections.abc import Iterable, Iterator

from schemas.records import SignalStatus
from streams.journeys.signals import Signal
from streams.journeys.timeline import Timeline


def diff(
    timeline: Timeline, holding: list[Signal], perhaps: Iterable[Signal] = ()
) -> Iterator[tuple[Signal, SignalStatus]]:
    """Compare what holds now with what was published, and note it as published.

    An unconfirmed timeline repeats all that holds: nobody knows what its subscribers have heard. What was perhaps
    raised is retracted unless it holds, and raised again if it does.
    """
    before = timeline.published or {}
    now = {signal.signal_id: signal for signal in holding}
    for signal_id, signal in now.items():
        if timeline.unconfirmed or before.get(signal_id) != signal:
            yield signal, "RAISED"
    for signal_id, signal in ({signal.signal_id: signal for signal in perhaps} | before).items():
        if signal_id not in now:
            yield signal, "RETRACTED"
    timeline.published = now
    timeline.unconfirmed = False
