"""Effort: what the last 30 days cost the customer, 0 to 100."""

from typing import Any

from tests.support.journeys import state, touchpoint

DAY = 24 * 60  # minutes


def effort(*touchpoints: Any) -> float:
    return state(*touchpoints)["effort"]


def contact(minute: float, channel: str, **fields: Any) -> Any:
    return touchpoint("page_view", minute, channel=channel, issue_id="i1", **fields)


def test_an_easy_journey_costs_nothing() -> None:
    assert effort(touchpoint("product_view"), touchpoint("purchase", 1)) == 0.0


def test_ten_points_are_an_effort_of_50_and_100_is_never_reached() -> None:
    assert effort(*(touchpoint("payment_error", minute) for minute in range(5))) == 50.0
    assert 99 < effort(*(touchpoint("payment_error", minute) for minute in range(1000))) < 100


def test_chat_to_phone_within_one_issue_is_a_handoff_and_raises_effort() -> None:
    bot, phone = contact(0, "chatbot"), contact(5, "phone")
    assert effort(bot) == 0.0
    points = 3 + 2 + 1  # the handoff, contacting again, another channel
    assert state(bot, phone)["handoffs"] == 1
    assert effort(bot, phone) == round(100 * points / (points + 10), 2)


def test_contacting_again_on_the_same_channel_costs_less_than_being_handed_over() -> None:
    again = contact(0, "chatbot"), contact(60, "chatbot")
    assert effort(*again) == round(100 * 2 / 12, 2)


def test_what_is_older_than_30_days_costs_nothing_any_more() -> None:
    failed = touchpoint("payment_error")
    assert effort(failed, touchpoint("home", 29 * DAY)) > 0
    assert effort(failed, touchpoint("home", 30 * DAY)) == 0.0


def test_a_ces_answer_overrides_effort_while_it_is_in_the_window() -> None:
    failed = [touchpoint("payment_error", minute) for minute in range(5)]
    easy = touchpoint("ces_answered", 9, score={"kind": "CES", "value": 7})
    hard = touchpoint("ces_answered", 10, score={"kind": "CES", "value": 1})
    found = state(*failed, easy)
    assert (found["effort"], found["effort_answered"]) == (0.0, True)
    assert effort(*failed, easy, hard) == 100.0
    much_later = state(*failed, hard, touchpoint("error_page", 35 * DAY))
    assert (much_later["effort"], much_later["effort_answered"]) == (round(100 / 11, 2), False)


def test_effort_does_not_depend_on_the_order_in_which_fractions_are_added() -> None:
    kinds = ["help_page", "login_failed", "support_chat", "transfer", "shipment_lost"] * 7
    one = [touchpoint(kind, 0, event_id=f"e{n}") for n, kind in enumerate(kinds)]
    other = [touchpoint(kind, 0, event_id=f"e{n}") for n, kind in enumerate(reversed(kinds))]
    assert effort(*one) == effort(*other)
