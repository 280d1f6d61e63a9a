"""Conclusions from the facts: what the person tried, what went wrong, whether their session is active. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.screens.journey.facts import Facts, OpenIssue, Touch
from schemas.catalogue import Catalogue

DAY_MS: Final = 24 * 60 * 60 * 1000
#: Ouch moments and other friction that the screen names.
TROUBLES: Final = 5
#: A touchpoint with at least this friction weight (catalogue.toml) is named on the screen.
NOTICED: Final = 1.0
#: Lines of what the person tried; only the newest are shown.
TRIED: Final = 8


@dataclass(frozen=True)
class Trouble:
    """A touchpoint with friction, or an ouch moment."""

    touch: Touch
    friction: float  #: the catalogue's weight, 0-10
    ouch: bool


@dataclass(frozen=True)
class Stretch:
    """Consecutive touchpoints on one channel, ended by a change of channel or by a pause."""

    channel: str
    started_at: int
    last_at: int
    touches: tuple[Touch, ...]


@dataclass(frozen=True)
class Context:
    """The facts, and the conclusions from them at `now`."""

    facts: Facts
    now: int
    here_now: bool  #: whether their session is active
    tried: tuple[Stretch, ...]  #: in the 24 hours before their newest touchpoint, oldest first
    tried_before: int  #: touchpoints of these 24 hours that `tried` omits
    troubles: tuple[Trouble, ...]  #: newest first
    overdue: tuple[OpenIssue, ...]
    ordered_at: int  #: newest order within the timeline; 0 if there is none
    best_channel: str
    best_because: str


def context(facts: Facts, catalogue: Catalogue, session_gap: int, now: int) -> Context:
    """Derive the conclusions. `session_gap`: milliseconds of silence that end a session."""
    state = facts.state
    last = state["session_last_at"]
    recent = [touch for touch in facts.touches if touch.at > state["as_of"] - DAY_MS]
    stretches = list(_stretches(recent, session_gap))
    shown = stretches[-TRIED:]
    best, because = _best_channel(facts)
    return Context(
        facts=facts,
        now=now,
        here_now=last is not None and last <= now <= last + session_gap,
        tried=tuple(shown),
        tried_before=sum(len(stretch.touches) for stretch in stretches[: len(stretches) - len(shown)]),
        troubles=tuple(_troubles(facts.touches, catalogue))[:TROUBLES],
        overdue=tuple(issue for issue in facts.issues if issue.due_at < now),
        ordered_at=max(
            (touch.at for touch in facts.touches if catalogue.type(touch.type).effect == "order_placed"),
            default=0,
        ),
        best_channel=best,
        best_because=because,
    )


def runs(touches: Iterable[Touch]) -> list[tuple[str, int]]:
    """Run-length encoding of types, in order: (type, count)."""
    found: list[tuple[str, int]] = []
    for touch in touches:
        if found and found[-1][0] == touch.type:
            found[-1] = touch.type, found[-1][1] + 1
        else:
            found.append((touch.type, 1))
    return found


def _stretches(touches: Sequence[Touch], session_gap: int) -> Iterable[Stretch]:
    start = 0
    for place in range(1, len(touches) + 1):
        previous = touches[place - 1]
        if (
            place == len(touches)
            or touches[place].channel != previous.channel
            or touches[place].at > previous.at + session_gap
        ):
            part = tuple(touches[start:place])
            yield Stretch(previous.channel, part[0].at, previous.at, part)
            start = place


def _troubles(touches: Sequence[Touch], catalogue: Catalogue) -> Iterable[Trouble]:
    for touch in reversed(touches):
        kind = catalogue.type(touch.type)
        if kind.friction >= NOTICED or kind.moment == "ouch":
            yield Trouble(touch, kind.friction, kind.moment == "ouch")


def _best_channel(facts: Facts) -> tuple[str, str]:
    """The channel with the best outcomes, or else the one they use most."""
    state = facts.state
    preferred = state.get("preferred_channel") or ""
    if preferred:
        good, bad = (state.get(f"channels_{kind}", {}).get(preferred, 0) for kind in ("good", "bad"))
        return preferred, f"{good} good and {bad} bad outcomes" if good or bad else "no outcomes known yet"
    if not state["channels"]:
        return "", ""
    most = max(state["channels"].items(), key=lambda item: (item[1], item[0]))
    return most[0], "used most"
