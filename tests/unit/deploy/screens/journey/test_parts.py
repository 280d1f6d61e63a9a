"""Conclusions, hints, words and lanes one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.screens.journey.facts import Promise, Touch
from deploy.screens.journey.hints import hints
from deploy.screens.journey.lanes import UNICODE, picture
from schemas.words import listed, money, several, span, when
from tests.support.built_in import CATALOGUE
from tests.support.journey_people import CALL, DAY, HOUR, MINUTE, NOW, TOUCHES, known, state, touch
from tests.support.touchpoints import START


def wishes(**fields: object) -> list[str]:
    return [hint.wish for hint in hints(known(**fields))]


def test_an_open_case_comes_before_a_cart_that_was_left() -> None:
    assert wishes() == ["news about case-7", "buy what is in the cart"]


def test_who_just_failed_wants_help_with_that() -> None:
    assert wishes(issues=(), touches=TOUCHES[:-1])[0] == "help after payment_error on web"


def test_a_cart_before_the_last_order_is_history() -> None:
    ordered = (*TOUCHES, touch("order_placed", CALL + MINUTE))

    assert wishes(issues=(), touches=ordered) == []


def test_a_cart_that_is_still_open_and_one_left_long_ago() -> None:
    open_cart = Promise("checkout", START + CALL, START + CALL + HOUR, "OPEN")
    old = Promise("cart", START + CALL - 9 * DAY, START + CALL - 9 * DAY, "MISSED")

    assert wishes(issues=(), promises=(open_cart,)) == ["finish the checkout"]
    assert wishes(issues=(), promises=(old,), touches=()) == []


def test_what_is_open_with_this_person_stands_before_what_people_like_them_do_next() -> None:
    predicted = state(likely_next=[("support_call", 0.5), ("order_placed", 0.25)])
    rules = hints(known())
    found = hints(known(state=predicted))

    assert found[: len(rules)] == rules
    assert [(hint.wish, hint.probability) for hint in found[len(rules) :]] == [
        ("support_call", 0.5),
        ("order_placed", 0.25),
    ][: 3 - len(rules)]


def test_what_they_tried_is_of_the_last_day_of_their_own_time_however_long_ago_that_is() -> None:
    tried = known(now=NOW + 300 * DAY).tried

    assert [(stretch.channel, len(stretch.touches)) for stretch in tried] == [
        ("web", 1), ("chatbot", 2), ("web", 2), ("phone", 1),
    ]  # fmt: skip


def test_of_a_busy_day_the_newest_stretches_are_shown_and_the_others_counted() -> None:
    busy = tuple(
        touch("product_view", CALL - n * MINUTE, "web" if n % 2 else "app") for n in range(20, -1, -1)
    )
    found = known(touches=busy)

    assert (len(found.tried), found.tried_before) == (8, 13)


touches = st.lists(
    st.builds(
        lambda at, kind, channel: Touch(START + at, f"e{at}", channel, kind),
        st.integers(0, 90 * DAY),
        st.sampled_from([*CATALOGUE.types, "unheard_of"]),
        st.sampled_from(["web", "phone", "hologram", "x" * 30]),
    ),
    max_size=60,
).map(lambda found: tuple(sorted(found, key=lambda touch: touch.at)))


@given(touches, st.integers(60, 200))
def test_a_picture_is_never_wider_than_its_terminal_and_its_rows_are_of_one_length(
    found: tuple[Touch, ...], width: int
) -> None:
    lines = [line.plain for line in picture(found, CATALOGUE, width)]
    drawn = [line for line in lines if "│" in line]

    assert all(len(line) <= width for line in drawn)
    assert len({len(line.rstrip("\n")) for line in drawn}) <= 1
    assert bool(lines) == bool(found)


def test_the_newest_stands_at_the_right_and_what_has_no_room_is_marked() -> None:
    many = tuple(touch("product_view", n * DAY) for n in range(40))
    dates, *_ = (line.plain for line in picture(many, CATALOGUE, 80))

    assert dates.rstrip().endswith("9 Feb")
    assert UNICODE.more in dates


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-1, "0 s"), (59_999, "59 s"), (12 * MINUTE, "12 min"), (2 * HOUR, "2 h"), (2 * HOUR + MINUTE, "2 h 1 min"),
     (7 * HOUR + MINUTE, "7 h"), (DAY + HOUR, "1 d 1 h"), (30 * DAY + HOUR, "30 d")],
)  # fmt: skip
def test_spans_have_as_many_units_as_matter(milliseconds: int, text: str) -> None:
    assert span(milliseconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (12990, "EUR", "129.90 EUR"),
        (-500, "JPY", "-500 JPY"),
        (1500, "KWD", "1.500 KWD"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (9_007_199_254_740_993, "EUR", "90,071,992,547,409.93 EUR"),
        (-(2**63), "CLF", "-922,337,203,685,477.5808 CLF"),
        (12990, "RWF", "12,990 RWF"),
        (12990, "IQD", "12.990 IQD"),
        (5, "XAU", "5 minor units of XAU"),
        (12990, "DEM", "12,990 minor units of DEM"),
    ],
)
def test_an_amount_is_shown_exactly_with_the_places_of_its_currency(
    minor: int, currency: str, shown: str
) -> None:
    assert money(minor, currency) == shown


@given(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(["EUR", "JPY", "KWD", "CLF", "RWF", "IQD", "XAU", "UYW"]),
)
def test_no_two_amounts_look_alike(minor: int, currency: str) -> None:
    digits = money(minor, currency).split()[0].replace(",", "").replace(".", "")
    assert int(digits) == minor


def test_words() -> None:
    assert (several(1, "order"), several(2, "switch", "switches")) == ("1 order", "2 switches")
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("a", "a, b and c")
    assert when(START, START + 400 * DAY) == "1 Jan 2026 00:00"
