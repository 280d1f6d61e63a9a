"""Whether a message may be told now: consent, frequency cap, quiet hours. Decided anew before every attempt.

Retractions pass: they take back what was told, and so end an action instead of beginning one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.records import JourneyState
from sinks.webhooks.endpoints import SECOND_MS, Consent, Endpoint, Quiet
from sinks.webhooks.message import Message
from sinks.webhooks.verdicts import Reason

#: Nothing that needs consent is told by a view of the states that is older than this.
FRESH_MS: Final = 10 * SECOND_MS
#: For so long after a notice the state that belongs to it may be missing in the view. Then the person is gone.
STATE_MS: Final = 30 * SECOND_MS
AGAIN_MS: Final = SECOND_MS  #: until the view is looked at again


@dataclass(frozen=True)
class View:
    """What the service knows of a person when an attempt is about to start."""

    state: JourneyState | None
    fresh_at: int  #: UTC ms: everything that was published until then is in it


@dataclass(frozen=True)
class Wait:
    """Not before this time, UTC ms."""

    until: int


@dataclass(frozen=True)
class Withhold:
    """Not at all."""

    reason: Reason


def decide(
    endpoint: Endpoint, message: Message, view: View, reached: int, now: int
) -> Wait | Withhold | None:
    """None if the message may be told now. `reached`: other messages within the cap's window."""
    if message.takes_back:
        return None
    if endpoint.cap is not None and reached >= endpoint.cap.messages:
        return Withhold(Reason.CAP)
    if endpoint.consent is not None:
        refused = _consent(endpoint.consent, message, view, now)
        if refused is not None:
            return refused
    if endpoint.quiet is not None:
        until = quiet_until(endpoint.quiet, now)
        if until is not None:
            return Wait(until)
    return None


def _consent(consent: Consent, message: Message, view: View, now: int) -> Wait | Withhold | None:
    if not is_fresh(view.fresh_at, now):
        return Wait(now + AGAIN_MS)
    state = view.state
    if state is None or state["version"] < state_version(message):
        missing_since = message.happened_at
        return Wait(now + AGAIN_MS) if now - missing_since < STATE_MS else Withhold(Reason.NO_STATE)
    decision = state["consent"].get(consent.purpose)
    granted = decision in (None, "GRANTED") if consent.opt_out else decision == "GRANTED"
    return None if granted else Withhold(Reason.CONSENT)


def is_fresh(fresh_at: int, now: int) -> bool:
    """Whether a view of that time may decide about consent. One from the future may not: the clock was set back."""
    return abs(now - fresh_at) <= FRESH_MS


def state_version(message: Message) -> int:
    """The version of the state that a message belongs to: a signal's is twice that, or one more."""
    return message.version if message.is_change else message.version >> 1


def quiet_until(quiet: Quiet, now: int) -> int | None:
    """When the quiet hours end that `now` lies in, UTC ms; None if it lies in none.

    Local times count. An hour that the clocks repeat is quiet both times; an end that they skip is an hour later.
    """
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(quiet.zone)
    at = local.time().replace(tzinfo=None)
    over_midnight = quiet.start > quiet.end
    inside = (at >= quiet.start or at < quiet.end) if over_midnight else quiet.start <= at < quiet.end
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if over_midnight and at >= quiet.start else 0)
    # where the clocks change, two moments may be meant: the later one
    end = datetime.combine(day, quiet.end, tzinfo=quiet.zone)
    return max(now + 1, *(int(end.replace(fold=fold).timestamp() * 1000) for fold in (0, 1)))
