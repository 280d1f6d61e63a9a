"""What is stored has one spelling of every name, whatever the source's, live and in replay."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.errors import ContractError, Reason
from schemas.records import Touchpoint
from schemas.touchpoint.rules import check
from streams.identity.policy.prepare import prepare
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.timeline.horizon_summary import fold_timeline
from streams.replay import Replay
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.touchpoints import touchpoint

#: Spellings of one type, and of one channel.
ORDERS = (
    "order_placed",
    "Order Placed",
    "ORDER-PLACED",
    " order  placed ",
    "Order Completed",
    "checkout_completed",
)
PHONES = ("phone", "Phone", "call-center", "Telephone ")


def prepared(**fields: Any) -> Touchpoint:
    return prepare(touchpoint(**fields), POLICY, CATALOGUE)[1]


@pytest.mark.parametrize("name", ORDERS)
def test_a_type_is_stored_under_the_name_of_the_catalogue(name: str) -> None:
    assert prepared(type=name)["type"] == "order_placed"


@pytest.mark.parametrize("name", PHONES)
def test_a_channel_is_stored_under_the_name_of_the_catalogue(name: str) -> None:
    assert prepared(channel=name)["channel"] == "phone"


def test_an_unknown_name_is_stored_in_canonical_form() -> None:
    stored = prepared(type="Sample Taken", channel="Hologram-2")
    assert (stored["type"], stored["channel"]) == ("sample_taken", "hologram_2")


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (
            {"Marketing": "GRANTED", "Third Party": "DENIED"},
            {"marketing": "GRANTED", "third_party": "DENIED"},
        ),
        ({"Marketing": "GRANTED", "marketing": "DENIED"}, {"marketing": "DENIED"}),
        ({"marketing": "REVOKED", "MARKETING ": "GRANTED"}, {"marketing": "REVOKED"}),
        ({"marketing": "DENIED", "MARKETING": "REVOKED"}, {"marketing": "REVOKED"}),
    ],
)
def test_of_two_spellings_of_a_purpose_the_stricter_decision_stays(
    written: dict[str, str], stored: dict[str, str]
) -> None:
    assert prepared(consent=written)["consent"] == stored


def test_what_is_canonical_already_is_not_copied() -> None:
    once = prepared(type="Order Placed", ids=[("customer_id", "C1")])
    assert prepare(once, POLICY, CATALOGUE)[1] is once


@given(
    st.text(min_size=1),
    st.text(min_size=1),
    st.dictionaries(st.text(), st.sampled_from(["GRANTED", "DENIED"])),
)
def test_preparing_twice_changes_nothing(name: str, channel: str, consent: dict[str, str]) -> None:
    owner, once = prepare(touchpoint(type=name, channel=channel, consent=consent), POLICY, CATALOGUE)
    assert prepare(once, POLICY, CATALOGUE) == (owner, once)


@pytest.mark.parametrize("field", ["type", "channel"])
def test_a_name_of_spaces_is_refused(field: str) -> None:
    with pytest.raises(
        ContractError, match=f"^{field} is empty: it has only spaces or characters that show nothing$"
    ) as error:
        check(touchpoint(**{field: " \t\u00a0"}))
    assert error.value.reason is Reason.INVALID


def replayed(events: list[Touchpoint], catalogue: Catalogue = CATALOGUE, rules: JourneyRules = RULES) -> Any:
    replay = Replay(POLICY, catalogue, rules)
    for event in events:
        replay.add(event)
    return list(replay.states()), [signal["kind"] for signal in replay.signals(2**53)]


@given(st.lists(st.tuples(st.sampled_from(ORDERS), st.sampled_from(PHONES)), min_size=1, max_size=8))
def test_spellings_make_no_difference_to_a_journey(spellings: list[tuple[str, str]]) -> None:
    written = [
        touchpoint(f"e{n}", minute=n, type=name, channel=channel)
        for n, (name, channel) in enumerate(spellings)
    ]
    plain = [
        touchpoint(f"e{n}", minute=n, type="order_placed", channel="phone") for n in range(len(spellings))
    ]
    assert replayed(written) == replayed(plain)


def test_an_erasure_is_asked_for_in_any_spelling() -> None:
    for name in ("erasure_requested", "Erasure Requested", "ERASURE-REQUESTED"):
        assert replayed([touchpoint("e1"), touchpoint("e2", minute=1, type=name)]) == ([], [])


def test_what_was_stored_before_an_alias_was_made_counts_under_it_too() -> None:
    learnt = Catalogue.parse(
        "[aliases]\nbought = 'order_placed'\n[channel_aliases]\nhall = 'store'", "x", CATALOGUE
    )
    stored = prepare(touchpoint(type="Bought", channel="Hall", issue_id="i"), POLICY, CATALOGUE)[1]
    assert stored["type"] == "bought"

    # as a worker folds what it restored from its changelog
    state = fold_timeline([(("cookie", "a"), stored)], learnt, RULES).state("default", "p", 0)
    again = fold_timeline([(("cookie", "a"), prepare(stored, POLICY, learnt)[1])], learnt, RULES)
    assert state == again.state("default", "p", 0)
    assert (state["orders"], state["recent"][0]["type"], list(state["channels"])) == (
        1,
        "order_placed",
        ["store"],
    )


def test_rules_may_name_types_in_any_spelling_and_by_alias() -> None:
    rules = JourneyRules.parse(
        "[rules.rage]\ntouchpoints = ['Order Completed', 'Error Page']\nat_least = 2\nwithin_hours = 1", "x"
    )
    events = [touchpoint("e1", type="order_placed"), touchpoint("e2", type="error_page")]
    assert "rage" in replayed(events, rules=rules)[1]
