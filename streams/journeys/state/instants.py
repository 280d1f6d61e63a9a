"""Ties: the fold order of touchpoints with one `occurred_at`. It does not depend on their ids.

A source that knows only the day gives all its events one time, and ids give no order. So touchpoints of one time are
folded together: sorted by content, then by meaning (an opening before its solution). The id orders only touchpoints
with equal content.
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

#: The order in which an issue takes touchpoints of one time: contacts, openings, solutions, answers.
_CONTACT, _OPENING, _SOLUTION, _ANSWER = range(4)
_RANKS: Final[dict[Effect | None, int]] = {
    "issue_opened": _OPENING,
    "issue_solved": _SOLUTION,
    "survey": _ANSWER,
}


class Folding(Protocol):
    """A fold that takes touchpoints in time order."""

    def advance(self, touchpoint: Touchpoint, owner: Identifier) -> None:
        """Take the only touchpoint of its time."""

    def advance_together(self, instant: Sequence[Owned]) -> None:
        """Take all touchpoints of one time, two or more."""


def advance_all(fold: Folding, touchpoints: Iterable[Owned]) -> None:
    """Advance `fold` over touchpoints that come in time order; touchpoints of one time may come in any order."""
    for _, instant in groupby(touchpoints, key=lambda owned: owned[0]["occurred_at"]):
        first, *others = instant
        if others:
            fold.advance_together([first, *others])
        else:
            fold.advance(*first)


def by_content(instant: Iterable[Owned], last_channel: str) -> list[Owned]:
    """The touchpoints of one time sorted by content. The last used channel comes first: that minimises switches."""
    return sorted(instant, key=lambda owned: _content(owned, last_channel))


def issue_rank(effect: Effect | None) -> int:
    """The rank of a touchpoint with this effect among those of one time; issues take low ranks first."""
    return _RANKS.get(effect, _CONTACT)


def strictest(instant: Iterable[Owned]) -> dict[str, tuple[ConsentDecision, str]]:
    """The strictest decision on each purpose among touchpoints of one time, and the first event with it."""
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
