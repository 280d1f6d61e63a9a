"""Touchpoints of one time: the order in which they count, which never depends on their ids.

Sources that know only the day date everything of it alike, and ids are not an order. So the touchpoints of one time
are taken together: first what they say, sorted by it, then by what they mean (an opening before its solution). Ids
tell only those apart that are alike in everything else.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

from schemas.catalogue import Effect
from schemas.encoding.record_types import TOUCHPOINT
from schemas.records import ConsentDecision, Identifier, Touchpoint
from schemas.touchpoint.events import event_key
from streams.journeys.state.consent import STRICTNESS

#: A touchpoint and the identifier that owns it.
Owned = tuple[Touchpoint, Identifier]

#: What an issue hears first of what is said at one time: contacts (of one that is open, or new), that it opens (again),
#: that it is solved, answers about it.
_CONTACT, _OPENING, _SOLUTION, _ANSWER = range(4)
_RANKS: Final[dict[Effect | None, int]] = {
    "issue_opened": _OPENING,
    "issue_solved": _SOLUTION,
    "survey": _ANSWER,
}


class Folding(Protocol):
    """What takes touchpoints in time order."""

    def advance(self, touchpoint: Touchpoint, owner: Identifier) -> None:
        """Take the only touchpoint of its time."""

    def advance_together(self, instant: Sequence[Owned]) -> None:
        """Take all touchpoints of one time, two or more."""


def advance_all(fold: Folding, touchpoints: Iterable[Owned]) -> None:
    """Fold touchpoints that come in time order; those of one time in any order."""
    for _, instant in groupby(touchpoints, key=lambda owned: owned[0]["occurred_at"]):
        first, *others = instant
        if others:
            fold.advance_together([first, *others])
        else:
            fold.advance(*first)


def by_content(instant: Iterable[Owned], last_channel: str) -> list[Owned]:
    """The touchpoints of one time: those on the channel that was used last come first, so nobody switches in vain."""
    return sorted(instant, key=lambda owned: _content(owned, last_channel))


def issue_rank(effect: Effect | None) -> int:
    """When an issue hears of a touchpoint with this effect, among those of one time."""
    return _RANKS.get(effect, _CONTACT)


def strictest(instant: Iterable[Owned]) -> dict[str, tuple[ConsentDecision, str]]:
    """The decision on each purpose that touchpoints of one time leave, and the touchpoint that said so first."""
    found: dict[str, tuple[ConsentDecision, str]] = {}
    for touchpoint, _ in instant:
        for purpose, decision in touchpoint["consent"].items():
            known = found.get(purpose)
            if known is None or STRICTNESS[decision] > STRICTNESS[known[0]]:
                found[purpose] = decision, event_key(touchpoint)
    return found


def _content(owned: Owned, last_channel: str) -> tuple[Any, ...]:
    touchpoint, owner = owned
    channel = touchpoint["channel"]
    nameless = touchpoint.copy()
    nameless["event_id"], nameless["received_at"] = "", 0
    return (
        channel != last_channel, channel, touchpoint["source"], touchpoint["session_id"] or "", touchpoint["type"],
        owner["type"], owner["value"], TOUCHPOINT.encode(nameless), touchpoint["event_id"],
    )  # fmt: skip
