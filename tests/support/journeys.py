"""Touchpoints and folds without noise: a test names only what matters to it."""

from collections.abc import Iterable
from typing import Any

from schemas.records import JourneyState, Touchpoint
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import advance_all
from streams.journeys.state.signals import Signal
from tests.support.built_in import CATALOGUE, RULES
from tests.support.touchpoints import START
from tests.support.touchpoints import touchpoint as plain

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def touchpoint(type: str = "product_view", minute: float = 0, **fields: Any) -> Touchpoint:  # noqa: A002
    """A touchpoint so many minutes after START, with an id that says so."""
    named = {"event_id": f"{type}@{minute:g}"} | fields
    return plain(minute=minute, type=type, ids=[("cookie", "c1")], **named)


def in_order(touchpoints: Iterable[Touchpoint]) -> list[Touchpoint]:
    """In fold order, each event once."""
    unique = {item["event_id"]: item for item in touchpoints}
    return sorted(unique.values(), key=lambda item: (item["occurred_at"], item["event_id"]))


def fold(*touchpoints: Touchpoint, rules: JourneyRules = RULES) -> Fold:
    """The fold over touchpoints given in any order."""
    folded = Fold(CATALOGUE, rules)
    advance_all(folded, ((item, item["identifiers"][0]) for item in in_order(touchpoints)))
    return folded


def state(*touchpoints: Touchpoint) -> JourneyState:
    """The state after touchpoints given in any order."""
    return fold(*touchpoints).state("default", "p1", 7)


def signals(*touchpoints: Touchpoint, minute: float = 0) -> dict[str, list[Signal]]:
    """The signals that hold so many minutes after START, by kind."""
    found: dict[str, list[Signal]] = {}
    for signal in fold(*touchpoints).signals(START + round(minute * MINUTE)):
        found.setdefault(signal.kind, []).append(signal)
    return found
