"""Carts and checkouts: met, open or missed."""

from tests.support.journeys import MINUTE, START, fold, signals, state, touchpoint

CART = touchpoint("add_to_cart", 0)
ORDER = touchpoint("purchase", 20)


def statuses(*touchpoints: object) -> list[tuple[str, str]]:
    return [(item["kind"], item["status"]) for item in state(*touchpoints)["expectations"]]  # type: ignore[arg-type]


def test_a_cart_is_open_until_its_session_ends() -> None:
    assert statuses(CART) == [("cart", "OPEN")]
    assert statuses(CART, touchpoint("email_sent", 30)) == [("cart", "OPEN")]
    assert statuses(CART, touchpoint("email_sent", 31)) == [("cart", "MISSED")]


def test_activity_puts_the_deadline_off() -> None:
    found = state(CART, touchpoint("home", 25))["expectations"]
    assert found[0]["due_at"] == START + 55 * MINUTE


def test_an_order_in_the_session_meets_cart_and_checkout() -> None:
    checkout = touchpoint("shipping_details", 10)
    assert statuses(CART, checkout, ORDER) == [("cart", "MET"), ("checkout", "MET")]


def test_an_order_in_another_session_meets_nothing() -> None:
    found = state(CART, touchpoint("purchase", 60))
    assert (found["carts"], found["carts_met"]) == (1, 0)
    assert found["expectations"][0]["status"] == "MISSED"


def test_a_purchase_that_arrives_before_its_cart_is_no_abandonment() -> None:
    assert "abandoned_cart" not in signals(ORDER, CART, minute=1000)


def test_only_the_first_cart_of_a_session_counts() -> None:
    found = state(CART, touchpoint("add_to_cart", 5))
    assert found["carts"] == 1
    assert [item["event_id"] for item in found["expectations"]] == ["add_to_cart@0"]


def test_the_signal_holds_only_once_the_deadline_has_passed() -> None:
    assert "abandoned_cart" not in signals(CART, minute=30)
    (signal,) = signals(CART, minute=30.1)["abandoned_cart"]
    assert signal.occurred_at == START + 30 * MINUTE
    assert signal.event_ids == ("add_to_cart@0",)
    assert signal.details == {"checkout": "not started"}


def test_a_purchase_that_comes_late_but_happened_in_time_retracts_the_signal() -> None:
    assert "abandoned_cart" in signals(CART, minute=100)
    assert "abandoned_cart" not in signals(CART, ORDER, minute=100)


def test_the_next_deadline_is_the_earliest_that_has_not_passed() -> None:
    folded = fold(CART, touchpoint("support_chat", 0, issue_id="i1", session_id="s1"))
    assert folded.next_deadline() == START + 30 * MINUTE
    assert folded.next_deadline(START + 30 * MINUTE) == START + 30 * MINUTE
    assert folded.next_deadline(START + 30 * MINUTE + 1) == START + 72 * 60 * MINUTE
    assert folded.next_deadline(START + 73 * 60 * MINUTE) is None
    assert fold(CART, ORDER).next_deadline() is None


def test_the_newest_20_are_kept_and_all_are_counted() -> None:
    found = state(*(touchpoint("add_to_cart", 60 * hour) for hour in range(30)))
    assert (found["carts"], found["carts_met"]) == (30, 0)
    assert [item["event_id"] for item in found["expectations"]] == [
        f"add_to_cart@{60 * hour}" for hour in range(10, 30)
    ]
