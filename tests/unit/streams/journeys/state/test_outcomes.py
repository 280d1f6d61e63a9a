"""How channels work out for somebody, marketing touches, sentiment's trend, returns."""

from typing import Any

from tests.support.journeys import START, state, touchpoint

DAY = 24 * 60  # minutes


def uses(*touchpoints: Any) -> dict[str, tuple[int, int]]:
    return {name: (use["good"], use["bad"]) for name, use in state(*touchpoints)["channels"].items()}


def test_nobody_prefers_a_channel_they_never_used() -> None:
    assert state(touchpoint("email_sent", channel="email"))["preferred_channel"] is None


def test_the_preferred_channel_is_the_one_with_the_best_outcomes_not_the_most_used() -> None:
    failing = [touchpoint("payment_error", minute, channel="web") for minute in range(5)]
    buying = touchpoint("purchase", 9, channel="app")
    found = state(*failing, buying)
    assert uses(*failing, buying) == {"web": (0, 5), "app": (1, 0)}
    assert found["preferred_channel"] == "app"


def test_one_success_does_not_beat_many() -> None:
    bought = [touchpoint("purchase", minute, channel="web") for minute in range(9)]
    assert state(*bought, touchpoint("purchase", 99, channel="app"))["preferred_channel"] == "web"


def test_a_solved_issue_and_the_answer_about_it_are_good_outcomes_of_its_last_contact() -> None:
    chat = touchpoint("chatbot_message", 0, channel="chatbot", issue_id="i1")
    call = touchpoint("page_view", 5, channel="phone", issue_id="i1")
    solved = touchpoint("issue_solved", 9, channel="backoffice", issue_id="i1")
    answer = touchpoint(
        "csat_answered", 20, channel="email", issue_id="i1", score={"kind": "CSAT", "value": 5}
    )
    assert uses(chat, call, solved, answer)["phone"] == (2, 0)
    angry = answer | {"score": {"kind": "CSAT", "value": 1}}
    assert uses(chat, call, solved, angry)["phone"] == (1, 1)
    assert uses(chat, call, solved, angry)["email"] == (0, 0)


def test_marketing_touches_of_the_last_30_days_with_the_first_and_the_last() -> None:
    def click(day: float, campaign: str) -> Any:
        return touchpoint("ad_click", day * DAY, channel="ads", campaign=campaign)

    found = state(click(0, "old"), click(10, "a"), click(20, "b"), touchpoint("home", 35 * DAY))
    assert found["marketing_touches"] == 2
    first, last = found["marketing_first"], found["marketing_last"]
    assert first is not None
    assert last is not None
    assert (first["campaign"], last["campaign"]) == ("a", "b")
    assert first["occurred_at"] == START + 10 * DAY * 60_000
    much_later = state(click(0, "old"), touchpoint("home", 90 * DAY))
    assert (much_later["marketing_touches"], much_later["marketing_last"]) == (0, None)
    assert much_later["first_campaign"] == "old"


def test_the_trend_of_sentiment_is_negative_when_it_gets_worse() -> None:
    def felt(day: float, sentiment: float) -> Any:
        return touchpoint("page_view", day * DAY, sentiment=sentiment)

    assert state(felt(0, 0.5))["sentiment_trend"] is None
    assert state(felt(0, 0.5), felt(3, 0.5))["sentiment_trend"] == 0.0
    worse, better = state(felt(0, 0.5), felt(3, -0.5)), state(felt(0, -0.5), felt(3, 0.5))
    assert worse["sentiment_trend"] == -(better["sentiment_trend"] or 0)
    assert (worse["sentiment_trend"] or 0) < 0


def test_an_order_that_is_returned_stays_an_order_and_its_cart_stays_met() -> None:
    found = state(
        touchpoint("add_to_cart", 0),
        touchpoint("purchase", 5, amount_minor=500, currency="EUR"),
        touchpoint("order_returned", 9 * DAY, amount_minor=500, currency="EUR"),
    )
    assert (found["orders"], found["orders_returned"], found["revenue"]) == (1, 1, {"EUR": 0})
    assert (found["carts"], found["carts_met"]) == (1, 1)
    assert found["stage"] == "purchase"


def test_a_cancelled_order_counts_as_cancelled() -> None:
    found = state(touchpoint("purchase", 5), touchpoint("order_cancelled", 9))
    assert (found["orders"], found["orders_cancelled"], found["orders_returned"]) == (1, 1, 0)
