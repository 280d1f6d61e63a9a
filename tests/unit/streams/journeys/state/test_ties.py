"""Touchpoints of one time: their ids decide nothing, and no alarm is raised that one of their orders would avoid."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.records import Touchpoint
from streams.identity.resolution.ownership import node_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.timeline.block_ends import BLOCK
from streams.journeys.timeline.horizon_summary import fold_timeline
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import (
    CATALOGUE,
    DAY,
    HOUR,
    MINUTE,
    RULES,
    START,
    fold,
    in_order,
    touchpoint,
)  # fmt: skip
from tests.support.journeys_of import fed, give, journeys, law, touchpoints

LATER = START + 60 * DAY
CALLBACK = JourneyRules.parse(
    """
    [expectations.callback]
    opened_by = ["quote_sent"]
    met_by = ["callback"]
    within_hours = 1
    [expectations.promise]
    opened_by = ["callback"]
    met_by = ["support_reply"]
    within_hours = 1
    """,
    "mine.toml",
)


def at_once(*items: Touchpoint, minute: float = 0) -> list[list[Touchpoint]]:
    """Touchpoints that all happen so many minutes after START, under every order of their ids."""
    at = START + round(minute * MINUTE)
    return [
        [item | {"event_id": str(number), "occurred_at": at} for number, item in zip(ids, items, strict=True)]  # type: ignore[misc]
        for ids in permutations(range(9, 9 + len(items)))
    ]


def kinds(items: list[Touchpoint], rules: JourneyRules = RULES) -> list[str]:
    return sorted(signal.kind for signal in fold(*items, rules=rules).signals(LATER))


def issue(name: str, **fields: Any) -> Touchpoint:
    return touchpoint(name, issue_id="i1", **fields)


def nps(value: float) -> Touchpoint:
    return touchpoint("nps_answered", score={"kind": "NPS", "value": value})


def mood(value: float) -> Touchpoint:
    return touchpoint("survey_sent", sentiment=value)


def consent(decision: str) -> Touchpoint:
    return touchpoint("consent_changed", consent={"email": decision})


BEFORE = {
    "contacts": [issue("support_chat", minute=n - 100, session_id=f"c{n}") for n in (1, 2)],
    "solved": [issue("issue_opened", minute=-9000, channel="web"), issue("issue_solved", minute=-8000)],
    "switches": [touchpoint(minute=n - 10, channel=("web", "app")[n % 2]) for n in range(4)],
    "calm": [touchpoint(minute=-10, sentiment=-0.2)],
    "granted": [touchpoint("consent_changed", -10, consent={"email": "GRANTED"})],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("alarm", "before", "items"),
    [
        ("issue_overdue", "nothing", [issue("issue_opened"), issue("issue_solved")]),
        ("issue_overdue", "solved", [issue("issue_reopened"), issue("issue_solved")]),
        ("issue_overdue", "nothing", [issue("support_chat"), issue("complaint"), issue("chatbot_solved")]),
        ("quote_unanswered", "nothing", [touchpoint("quote_sent"), touchpoint("quote_accepted")]),
        ("quote_unanswered", "nothing", [touchpoint("quote_sent"), touchpoint("quote_declined")]),
        ("abandoned_cart", "nothing", [touchpoint("add_to_cart"), touchpoint("order_placed")]),
        (
            "abandoned_cart", "nothing",
            [touchpoint("add_to_cart", session_id="s1"), touchpoint("order_placed", session_id="s2")],
        ),
        ("abandoned_checkout", "nothing", [touchpoint("checkout_started"), touchpoint("order_placed")]),
        ("detractor", "nothing", [nps(2), nps(9)]),
        ("sentiment_drop", "calm", [mood(-1.0), mood(1.0)]),
        ("channel_hopping", "switches", [touchpoint(channel="app"), touchpoint(channel="web")]),
        ("repeat_contact", "contacts", [issue("support_chat", session_id="c3"), issue("issue_solved")]),
        ("consent_withdrawn", "nothing", [consent("GRANTED"), consent("DENIED")]),
    ],
)  # fmt: skip
def test_an_alarm_that_one_order_of_a_time_avoids_is_not_raised_whatever_the_ids(
    alarm: str, before: str, items: list[Touchpoint]
) -> None:
    for order in at_once(*items):
        assert alarm not in kinds([*BEFORE[before], *order])


def test_a_contact_that_was_not_told_since_the_issue_was_solved_then_is_made_up_for_when_it_opens_again() -> (
    None
):
    again = issue("issue_reopened", minute=100, session_id="c4")
    for order in at_once(issue("support_chat", session_id="c3"), issue("issue_solved")):
        assert "repeat_contact" in kinds([*BEFORE["contacts"], *order, again])
    for order in at_once(
        issue("support_chat", channel="app"), issue("support_chat", channel="web"), issue("issue_solved")
    ):
        told = kinds([issue("support_call", minute=-9, channel="phone"), *order])
        assert "channel_hopping" not in told


@pytest.mark.parametrize(
    ("alarm", "before", "items"),
    [
        ("issue_overdue", "nothing", [issue("issue_opened"), issue("issue_updated")]),
        ("quote_unanswered", "nothing", [touchpoint("quote_sent"), touchpoint("quote_requested")]),
        ("abandoned_cart", "nothing", [touchpoint("add_to_cart"), touchpoint("cart")]),
        ("detractor", "nothing", [nps(2), nps(5)]),
        ("sentiment_drop", "calm", [mood(-1.0), mood(0.0)]),
        ("friction_spike", "nothing", [touchpoint("shipment_late"), touchpoint("payment_error")]),
        ("channel_hopping", "switches", [touchpoint(channel="app"), touchpoint(channel="kiosk"), touchpoint()]),
        ("repeat_contact", "contacts", [issue("support_chat", session_id="c3"), issue("issue_updated")]),
        ("consent_withdrawn", "granted", [consent("DENIED"), consent("GRANTED")]),
        ("consent_withdrawn", "nothing", [consent("REVOKED"), consent("GRANTED")]),
    ],
)  # fmt: skip
def test_an_alarm_that_every_order_of_a_time_raises_is_raised_whatever_the_ids(
    alarm: str, before: str, items: list[Touchpoint]
) -> None:
    for order in at_once(*items):
        assert alarm in kinds([*BEFORE[before], *order])


def test_a_chain_of_promises_that_were_all_kept_at_one_time_is_kept() -> None:
    chain = [touchpoint("quote_sent"), touchpoint("callback"), touchpoint("support_reply")]
    for order in at_once(*chain):
        assert kinds(order, CALLBACK) == ["quote_unanswered", "stage_entered"]


def test_the_days_of_a_source_that_knows_no_hours_end_well_whatever_its_ids() -> None:
    day = [
        issue("issue_opened", channel="phone", session_id="c1"), issue("issue_solved"),
        touchpoint("quote_sent"), touchpoint("quote_accepted"), touchpoint("add_to_cart"), touchpoint("purchase"),
    ]  # fmt: skip
    for order in at_once(*day):
        state = fold(*order).state("default", "p1", 0)
        assert (state["open_issues"], state["issues_solved"], state["first_contact_resolution"]) == (
            [],
            1,
            1.0,
        )
        assert {item["status"] for item in state["expectations"]} == {"MET"}
        assert (state["stage"], state["orders"], state["carts_met"]) == ("service", 2, 1)


instants = st.lists(touchpoints(), min_size=2, max_size=4)


def renamed(items: list[Touchpoint], ids: list[int]) -> list[Touchpoint]:
    return [item | {"event_id": f"x{number}"} for number, item in zip(ids, items, strict=True)]  # type: ignore[misc]


def nameless(state: Any) -> Any:
    """A state without the ids of touchpoints, and without the hash of what holds them."""
    if isinstance(state, dict):
        return {k: nameless(v) for k, v in state.items() if k not in ("event_id", "state_hash")}
    return [nameless(item) for item in state] if isinstance(state, list) else state


@law
@given(journeys, instants, st.randoms(use_true_random=False))
def test_permuting_the_ids_of_one_time_changes_no_field_and_no_alarm(
    journey: list[Touchpoint], instant: list[Touchpoint], random: Any
) -> None:
    at = journey[0]["occurred_at"]
    before = [item for item in journey if item["occurred_at"] != at]
    together = [item | {"occurred_at": at} for item in instant]
    ids = list(range(len(together)))
    random.shuffle(ids)
    one, other = (
        fold(*before, *renamed(together, order))  # type: ignore[arg-type]
        for order in (sorted(ids), ids)
    )
    states = [nameless(folded.state("default", "p1", 0)) for folded in (one, other)]
    assert states[0] == states[1]
    found = [
        [(s.occurred_at, s.kind, s.details) for s in folded.signals(at + 99 * DAY)] for folded in (one, other)
    ]
    assert sorted(map(repr, found[0])) == sorted(map(repr, found[1]))


@law
@given(st.lists(touchpoints(), min_size=1, max_size=8), instants)
def test_no_alarm_is_raised_that_some_order_of_one_time_avoids(
    journey: list[Touchpoint], instant: list[Touchpoint]
) -> None:
    at = max(item["occurred_at"] for item in journey) + HOUR
    # consent is on the safe side: the strictest decision of one time stands (docs/journeys.md)
    before = in_order(item | {"consent": {}} for item in journey)  # type: ignore[misc]
    quiet = [item | {"occurred_at": at, "consent": {}} for item in instant]
    together = renamed(quiet, list(range(len(quiet))))  # type: ignore[arg-type]
    raised = {signal.kind for signal in fold(*before, *together).signals(at + 99 * DAY)}
    for order in permutations(together):
        single = fold(*before)
        for item in order:
            single.advance(item, item["identifiers"][0])
        assert raised <= {signal.kind for signal in single.signals(at + 99 * DAY)}


@law
@given(journeys.flatmap(lambda journey: st.tuples(st.just(journey), st.permutations(journey))), st.booleans())
def test_a_timeline_that_grows_one_by_one_folds_touchpoints_of_one_time_as_all_at_once(
    both: tuple[list[Touchpoint], list[Touchpoint]], by_the_day: bool
) -> None:
    journey, arriving = (
        [item | {"occurred_at": item["occurred_at"] // DAY * DAY} if by_the_day else item for item in items]
        for items in both
    )
    timeline = Timeline("default", "p1")
    for count, item in enumerate(arriving, start=1):
        grown = fed_one(timeline, item)
        assert grown.dump() == fold(*arriving[:count]).dump()  # type: ignore[arg-type]
    owned = [(node_of(item["identifiers"][0]), item) for item in in_order(journey)]  # type: ignore[arg-type]
    assert fold_timeline(owned, CATALOGUE, RULES).dump() == timeline.fold(CATALOGUE, RULES).dump()  # type: ignore[arg-type]


def fed_one(timeline: Timeline, item: Any) -> Fold:
    give(timeline, item)
    return timeline.fold(CATALOGUE, RULES)


@pytest.mark.parametrize("per_day", [3, 50, 127, 300])
def test_the_horizon_leaves_days_whole_and_more_than_a_block_of_one_time_is_parted_alike_live_and_in_replay(
    per_day: int,
) -> None:
    journey = [
        touchpoint(
            ("issue_opened", "issue_solved", "quote_sent", "quote_accepted", "support_chat")[number % 5],
            event_id=f"e{number * 7919 % 10_007:05}", issue_id=f"i{number % 7}", channel=("web", "chat")[number % 2],
        )
        | {"occurred_at": START + number // per_day * 40 * DAY}
        for number in range(1100)
    ]  # fmt: skip
    timeline = fed(journey, RULES, every=90)  # type: ignore[arg-type]
    assert timeline.summaries
    owned = [(node_of(item["identifiers"][0]), item) for item in in_order(journey)]  # type: ignore[arg-type]
    live, replayed = timeline.fold(CATALOGUE, RULES), fold_timeline(owned, CATALOGUE, RULES)
    assert FOLD_SUMMARY.encode(live.dump()) == FOLD_SUMMARY.encode(replayed.dump())
    if per_day <= BLOCK:
        assert FOLD_SUMMARY.encode(live.dump()) == FOLD_SUMMARY.encode(fold(*journey).dump())  # type: ignore[arg-type]
        (summary,) = timeline.summaries.values()
        assert summary.boundary[0] < timeline.order[0][0]


def test_the_two_ties_that_were_reported_raise_nothing() -> None:
    """An issue with ids 99 and 100, a quote with ids 9 and 10: as numbers in order, as text not."""
    at = round(datetime(2026, 3, 1, 10, tzinfo=UTC).timestamp() * 1000)

    def said(event_id: str, name: str, **fields: Any) -> Any:
        return touchpoint(name, event_id=event_id, **fields) | {"occurred_at": at}

    solved = fold(said("99", "issue_opened", issue_id="I1"), said("100", "issue_solved", issue_id="I1"))
    accepted = fold(said("9", "quote_sent", channel="email"), said("10", "quote_accepted", channel="email"))
    assert solved.state("default", "p1", 0)["open_issues"] == []
    assert [e["status"] for e in accepted.state("default", "p1", 0)["expectations"]] == ["MET"]
    for folded in (solved, accepted):
        assert {signal.kind for signal in folded.signals(at + 99 * DAY)} == {"stage_entered"}
