"""The native core folds as Python does: the same bytes, signals and deadlines, for whatever hypothesis thinks of.

Python's core is the definition. A difference is an error of streams/native/src/, in the module of the same name.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Touchpoint
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.native_fold import NativeFold
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, DAY, RULES
from tests.support.journeys_of import give, journeys, long_journey, touchpoints
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native

CUSTOM = JourneyRules.parse(
    """
    [expectations.callback]
    opened_by = ["quote_sent", "product_view"]
    met_by = ["callback", "issue_solved"]
    within_hours = 1
    [expectations.visit]
    opened_by = ["home"]
    met_by = ["order_placed"]
    until = "session_end"
    met_in = "same_session"
    signal = "visit_wasted"
    [rules.many_views]
    touchpoints = ["product_view", "order_placed"]
    at_least = 2
    within_hours = 30
    [rules.one_complaint]
    touchpoints = ["complaint"]
    at_least = 1
    within_hours = 200
    [signals.channel_hopping]
    switches = 2
    channels = 2
    [signals.friction_spike]
    at_least = 0.5
    [signals.stage_entered]
    enabled = false
    """,
    "custom.toml",
)


def both() -> tuple[Timeline, Timeline]:
    return Timeline("default", "p1"), Timeline("default", "p1")


def said(timeline: Timeline, rules: JourneyRules, native: bool, now: int) -> Any:
    """Everything that a fold says, by one core."""
    with core(native=native):
        fold = timeline.fold(CATALOGUE, rules)
        assert isinstance(fold, NativeFold if native else Fold)
        _, encoded = timeline.sealed(CATALOGUE, rules)
        signals = fold.signals(now)
        gone = [
            replace(one, event="another\0source", subject_id="0", occurred_at=one.occurred_at - 1)
            for one in signals
        ]
        return (
            encoded, timeline.state(CATALOGUE, rules), signals, fold.signals(0), fold.account_id,
            fold.next_deadline(), fold.next_deadline(now),
            [fold.lets_go(signal) for signal in (*signals, *gone)],
        )  # fmt: skip


def compare(arriving: list[Touchpoint], rules: JourneyRules, every: int = 1, later: int = 0) -> None:
    """Both cores after every so many touchpoints of an order of arrival."""
    defined, native = both()
    for number, item in enumerate(arriving, start=1):
        give(defined, item)
        give(native, item)
        if number % every == 0 or number == len(arriving):
            now = item["occurred_at"] + later
            assert said(native, rules, True, now) == said(defined, rules, False, now)


arrivals = journeys.flatmap(lambda journey: st.permutations(journey + journey[:3]))


@law_of_both
@given(arrivals, st.integers(1, 5), st.integers(0, 9 * DAY), st.sampled_from([RULES, CUSTOM]))
def test_any_journey_in_any_order_of_arrival(
    arriving: list[Touchpoint], every: int, later: int, rules: JourneyRules
) -> None:
    compare(arriving, rules, every, later)


@law_of_both
@given(st.lists(touchpoints(), min_size=2, max_size=7), st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_touchpoints_of_one_time(journey: list[Touchpoint], minutes: list[int]) -> None:
    at_once = [
        item | {"occurred_at": item["received_at"] // DAY * DAY + minute, "event_id": f"e{number}"}
        for number, (item, minute) in enumerate(zip(journey, minutes, strict=False))
    ]
    compare(at_once, CUSTOM, every=3)  # type: ignore[arg-type]


whole_range = st.sampled_from([EARLIEST_MS, EARLIEST_MS + 1, -1, 0, 1, LATEST_MS]) | st.integers(
    EARLIEST_MS, LATEST_MS
)


@law_of_both
@given(journeys, st.lists(whole_range, min_size=16, max_size=16))
def test_any_times_that_the_contract_admits(journey: list[Touchpoint], times: list[int]) -> None:
    dated = [item | {"occurred_at": at, "received_at": at} for item, at in zip(journey, times, strict=False)]
    compare(dated, RULES, every=4)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rules", [RULES, CUSTOM], ids=["built in", "custom"])
def test_long_journeys_that_evict_what_is_oldest(seed: int, rules: JourneyRules) -> None:
    compare(
        long_journey(seed, 250, owners="abc", minutes=[20, 400, 3000, 1][seed]), rules, every=60, later=DAY
    )
