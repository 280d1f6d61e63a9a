"""Several touchpoints of one order count it, and its amount, once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.records import Touchpoint
from streams.identity.resolution.ownership import node_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import advance_all
from streams.journeys.state.orders import MAX_ORDERS
from streams.journeys.timeline.horizon_summary import fold_timeline
from tests.support.journeys import CATALOGUE, RULES, fold, in_order, signals, state, touchpoint
from tests.support.journeys_of import fed, law

MONEY = ("orders", "orders_returned", "orders_cancelled", "revenue")


def order(
    minute: float = 0,
    type: str = "order_placed",  # noqa: A002
    amount: int | None = 500,
    **fields: Any,
) -> Touchpoint:
    currency = None if amount is None else "EUR"
    return touchpoint(
        type, minute, **{"order_id": "O-1", "amount_minor": amount, "currency": currency, **fields}
    )


def money(found: Any) -> tuple[Any, ...]:
    return tuple(found[name] for name in MONEY)


def test_two_systems_that_tell_of_one_order_make_one_order() -> None:
    assert money(state(order(0), order(5, "store_purchase", source="erp"))) == (1, 0, 0, {"EUR": 500})


def test_without_an_order_id_every_touchpoint_is_an_order() -> None:
    assert money(state(order(0, order_id=None), order(5, order_id=None))) == (2, 0, 0, {"EUR": 1000})


def test_orders_with_other_ids_are_other_orders() -> None:
    assert money(state(order(0), order(5, order_id="O-2"))) == (2, 0, 0, {"EUR": 1000})


@pytest.mark.parametrize(
    ("amounts", "revenue"), [([500, 700], 500), ([None, 700], 700), ([None, 700, 500], 700), ([0, 700], 0)]
)
def test_the_first_touchpoint_that_states_an_amount_says_what_the_order_is_worth(
    amounts: list[int | None], revenue: int
) -> None:
    found = state(*(order(minute, amount=amount) for minute, amount in enumerate(amounts)))
    assert (found["orders"], found["revenue"]) == (1, {"EUR": revenue})


def test_a_return_and_a_cancellation_of_an_order_count_once_each() -> None:
    found = state(
        order(0), order(1, "order_returned"), order(2, "order_returned", amount=300),
        order(3, "order_cancelled", amount=None), order(4, "order_cancelled", amount=None),
    )  # fmt: skip
    assert money(found) == (1, 1, 1, {"EUR": 0})


def test_every_refund_of_an_order_counts_because_an_order_may_have_several() -> None:
    found = state(order(0), order(1, "refund_issued", amount=100), order(2, "refund_issued", amount=50))
    assert money(found) == (1, 0, 0, {"EUR": 350})


def test_a_further_touchpoint_of_an_order_is_no_further_good_outcome() -> None:
    found = state(order(0), order(1, channel="app"), order(2, order_id="O-2"))
    assert {name: use["good"] for name, use in found["channels"].items()} == {"app": 0, "web": 2}


def test_a_further_touchpoint_of_an_order_does_not_meet_the_next_cart() -> None:
    journey = [touchpoint("add_to_cart", 0), order(1), touchpoint("add_to_cart", 60), order(61, source="erp")]
    found = state(*journey)
    assert (found["carts"], found["carts_met"]) == (2, 1)
    assert "abandoned_cart" in signals(*journey, minute=200)
    assert "abandoned_cart" not in signals(*journey[:3], order(61, order_id="O-2"), minute=200)


def test_rules_that_name_another_type_of_a_further_touchpoint_see_it() -> None:
    rules = JourneyRules.parse(
        "[expectations.pickup]\nopened_by = ['order_placed']\nmet_by = ['store_purchase']\nwithin_hours = 24\n"
        "[rules.rush]\ntouchpoints = ['order_placed']\nat_least = 2\nwithin_hours = 1", "x"
    )  # fmt: skip
    found = fold(order(0), order(5), order(10, "store_purchase"), rules=rules)
    picked = [item for item in found.state("default", "p1", 0)["expectations"] if item["kind"] == "pickup"]
    assert [item["status"] for item in picked] == ["MET"]
    assert "rush" not in {signal.kind for signal in found.signals(2**53)}


def test_a_further_touchpoint_of_an_order_is_a_contact_all_the_same() -> None:
    found = state(order(0), order(5, channel="app"))
    assert (found["touchpoints"], found["channel_switches"], found["last_channel"]) == (2, 1, "app")


def test_beyond_so_many_orders_the_oldest_are_forgotten() -> None:
    many = [order(minute, order_id=f"O-{minute}") for minute in range(MAX_ORDERS + 1)]
    again = [order(2000, order_id="O-1"), order(2001, order_id="O-0")]
    assert state(*many, *again[:1])["orders"] == MAX_ORDERS + 1
    assert state(*many, *again)["orders"] == MAX_ORDERS + 2


@st.composite
def told(draw: st.DrawFn) -> Touchpoint:
    return order(
        draw(st.integers(0, 50)),
        draw(
            st.sampled_from(
                [
                    "order_placed",
                    "purchase",
                    "order_returned",
                    "order_cancelled",
                    "refund_issued",
                    "add_to_cart",
                ]
            )
        ),
        draw(st.none() | st.integers(-9, 99)),
        event_id=draw(st.text("abc", min_size=1, max_size=4)),
        order_id=draw(st.none() | st.sampled_from(["O-1", "O-2", "O-3"])),
        channel=draw(st.sampled_from(["web", "app", "store"])),
        identifiers=[{"type": "cookie", "value": draw(st.sampled_from("abc"))}],
    )


orders = st.lists(told(), min_size=1, max_size=14, unique_by=lambda item: item["event_id"])
#: Touchpoints of one time are told apart by what they say (test_ties.py): the definition below knows times alone.
orders_apart = st.lists(
    told(),
    min_size=1,
    max_size=14,
    unique_by=(lambda item: item["event_id"], lambda item: item["occurred_at"]),
)


def naive(journey: list[Touchpoint]) -> tuple[Any, ...]:
    """The definition, over the whole set at once."""
    counts = {"order_placed": 0, "order_returned": 0, "order_cancelled": 0}
    revenue: dict[str, int] = {}
    groups: dict[tuple[str, str], list[Touchpoint]] = {}
    for item in in_order(journey):
        effect = CATALOGUE.type(item["type"]).effect or ""
        single = item["order_id"] is None or effect == "refund"
        groups.setdefault((effect, item["event_id"] if single else f"order {item['order_id']}"), []).append(
            item
        )
    for (effect, _), group in groups.items():
        if effect == "cart_opened":
            continue
        if effect in counts:
            counts[effect] += 1
        amount = next((item["amount_minor"] for item in group if item["amount_minor"] is not None), None)
        if amount is not None:
            revenue["EUR"] = revenue.get("EUR", 0) + (amount if effect == "order_placed" else -abs(amount))
    return (*counts.values(), revenue)


@law
@given(orders_apart)
def test_the_fold_counts_as_the_definition_says(journey: list[Touchpoint]) -> None:
    assert money(state(*journey)) == naive(journey)


@law
@given(orders, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repetition_change_nothing(journey: list[Touchpoint], random: Any) -> None:
    arriving = [*journey, *journey]
    random.shuffle(arriving)
    timeline = fed(arriving, RULES)
    owned = [(node_of(item["identifiers"][0]), item) for item in in_order(journey)]
    expected = fold_timeline(owned, CATALOGUE, RULES).state("default", "p1", 0)
    assert timeline.state(CATALOGUE, RULES)["state_hash"] == expected["state_hash"]


@law
@given(orders_apart, st.randoms(use_true_random=False))
def test_summed_up_identifier_by_identifier_an_order_counts_once(
    journey: list[Touchpoint], random: Any
) -> None:
    ordered = in_order(journey)
    parts = [
        fold(*mine)
        for name in "abc"
        if (mine := [i for i in ordered if i["identifiers"][0]["value"] == name])
    ]
    random.shuffle(parts)
    for part in parts[1:]:
        parts[0].absorb(part)
    found, expected = parts[0].state("default", "p1", 0), state(*journey)
    assert money(found) == money(expected)
    assert {name: use["good"] for name, use in found["channels"].items()} == {
        name: use["good"] for name, use in expected["channels"].items()
    }


@law
@given(orders, st.integers(0, 14))
def test_a_fold_that_was_written_down_knows_its_orders(journey: list[Touchpoint], cut: int) -> None:
    ordered = in_order(journey)
    while 0 < cut < len(ordered) and ordered[cut]["occurred_at"] == ordered[cut - 1]["occurred_at"]:
        cut += 1  # touchpoints of one time are folded together
    stored = FOLD_SUMMARY.decode(FOLD_SUMMARY.encode(fold(*ordered[:cut]).dump()))
    resumed = Fold.load(stored, "default", CATALOGUE, RULES)
    advance_all(resumed, ((item, item["identifiers"][0]) for item in ordered[cut:]))
    assert resumed.state("default", "p1", 7) == state(*journey)
