"""When each signal holds, why, and under which id."""

from typing import Any
from uuid import uuid5

import pytest

from schemas.touchpoint.events import key_of
from schemas.touchpoint.rules import MAX_AMOUNT_MINOR
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.signals import MAX_MOMENTS, NAMESPACE, raised, signal_id, subject_id
from tests.support.journeys import CATALOGUE, START, fold, signals, state, touchpoint


def nps(minute: float, value: float) -> Any:
    return touchpoint("nps_answered", minute, score={"kind": "NPS", "value": value})


def consent(minute: float, decision: str, event_id: str | None = None) -> Any:
    change = touchpoint("consent_changed", minute, consent={"email": decision})
    return change | {"event_id": event_id or change["event_id"]}


def test_a_subject_names_what_a_signal_is_about_and_never_the_profile() -> None:
    (signal,) = signals(touchpoint("add_to_cart"), minute=99)["abandoned_cart"]
    assert signal.subject_id == subject_id("default", "abandoned_cart", key_of("add_to_cart@0", "test"))
    assert signal.event_ids == ("add_to_cart@0",)
    assert subject_id("default", "abandoned_cart", "e") != subject_id("other", "abandoned_cart", "e")
    assert subject_id("default", "abandoned_cart", "e") == "01ed0d0d-4f4d-5b67-a654-023e12251511"


def test_a_signal_id_names_one_signal_of_one_profile() -> None:
    (signal,) = signals(touchpoint("add_to_cart"), minute=99)["abandoned_cart"]
    told = [raised("default", profile, signal, 7) for profile in ("p1", "p2")]
    assert told[0]["signal_id"] == signal_id("p1", signal.subject_id) != told[1]["signal_id"]
    assert told[0]["subject_id"] == told[1]["subject_id"] == signal.subject_id
    assert signal_id("p1", "s") == str(uuid5(NAMESPACE, "p1/s"))


def test_each_stage_is_entered_once() -> None:
    found = signals(touchpoint("ad_click"), touchpoint("product_view", 1), touchpoint("ad_click", 2))
    assert [signal.details["stage"] for signal in found["stage_entered"]] == ["awareness", "consideration"]


def test_a_low_nps_answer_is_a_detractor_until_a_better_one() -> None:
    assert "detractor" in signals(nps(0, 6))
    assert "detractor" not in signals(nps(0, 7))
    assert "detractor" not in signals(nps(0, 3), nps(5, 9))


def test_crossing_the_friction_threshold_is_one_spike() -> None:
    failures = [touchpoint("payment_error", minute) for minute in range(5)]
    assert "friction_spike" not in signals(*failures[:2])
    (signal,) = signals(*failures)["friction_spike"]
    assert signal.event_ids == ("payment_error@0", "payment_error@1", "payment_error@2")


def test_mean_sentiment_falling_below_the_threshold_is_a_drop() -> None:
    calm, angry = touchpoint(sentiment=0.1), touchpoint(minute=1, sentiment=-1.0)
    assert "sentiment_drop" not in signals(angry)
    assert signals(calm, angry)["sentiment_drop"][0].event_ids == (angry["event_id"],)


def test_many_switches_within_a_day_are_channel_hopping_once() -> None:
    switching = [touchpoint(minute=minute, channel=("web", "app")[minute % 2]) for minute in range(12)]
    assert "channel_hopping" not in signals(*switching[:5])
    assert len(signals(*switching)["channel_hopping"]) == 1


def test_consent_withdrawn_holds_until_it_is_given_again() -> None:
    (signal,) = signals(consent(0, "GRANTED"), consent(1, "DENIED"))["consent_withdrawn"]
    assert signal.details == {"purpose": "email", "decision": "DENIED"}
    assert "consent_withdrawn" not in signals(consent(0, "DENIED"))
    assert "consent_withdrawn" in signals(consent(0, "REVOKED"))
    assert "consent_withdrawn" not in signals(consent(0, "REVOKED"), consent(1, "GRANTED"))


def test_consent_withdrawn_before_a_later_grant_that_arrived_first_is_granted() -> None:
    assert state(consent(9, "GRANTED"), consent(5, "REVOKED"))["consent"] == {"email": "GRANTED"}


def test_the_most_restrictive_decision_of_one_moment_wins_in_either_order() -> None:
    for first, second in (("GRANTED", "REVOKED"), ("REVOKED", "GRANTED")):
        found = state(consent(5, first, "e1"), consent(5, second, "e2"))
        assert found["consent"] == {"email": "REVOKED"}


def test_signals_come_in_the_same_order_every_time() -> None:
    folded = fold(touchpoint("add_to_cart"), nps(1, 2), consent(2, "REVOKED"))
    found = folded.signals(START + 10**9)
    assert [signal.kind for signal in found] == [
        "stage_entered",
        "detractor",
        "consent_withdrawn",
        "abandoned_cart",
    ]
    assert found == folded.signals(START + 10**9)


def test_a_switched_off_rule_raises_nothing() -> None:
    rules = JourneyRules.parse("[signals.detractor]\nenabled = false", "mine.toml")
    assert fold(nps(0, 1), rules=rules).signals(START) == []


def test_ten_thousand_touchpoints_leave_a_bounded_state() -> None:
    def bot(number: int) -> Any:
        return touchpoint(
            ("add_to_cart", "payment_error", "complaint", "shipping_details")[number % 4],
            number,
            channel=f"channel-{number}",
            session_id=f"session-{number}",
            issue_id=f"issue-{number}",
            experiments={f"experiment-{number}": "a"},
            consent={f"purpose-{number}": "REVOKED"},
            identifiers=[{"type": "cookie", "value": f"c{number}"}],
            amount_minor=2**62,
            currency="EUR",
        )

    folded = fold(*(bot(number) for number in range(10_000)))
    found = folded.state("default", "p1", 1)
    assert found["touchpoints"] == 10_000
    for name in (
        "channels",
        "experiments",
        "consent",
        "identifiers",
        "open_issues",
        "expectations",
        "recent",
    ):
        assert len(found[name]) <= 256, name  # type: ignore[literal-required]
    # moments, stages, withdrawals and merges, open issues, expectations
    assert len(folded.signals(START)) <= MAX_MOMENTS + len(CATALOGUE.stages) + 2 * 256 + 100 + 20


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_is_exact_as_far_as_a_long_goes_and_then_stands_for_at_least_that_much(sign: int) -> None:
    huge = [
        touchpoint("purchase", minute, amount_minor=sign * MAX_AMOUNT_MINOR, currency="EUR")
        for minute in range(923)
    ]
    assert state(*huge[:922])["revenue"] == {"EUR": sign * 922 * MAX_AMOUNT_MINOR}
    assert state(*huge)["revenue"] == {"EUR": sign * (2**63 - 1)}
