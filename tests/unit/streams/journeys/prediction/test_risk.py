"""The risk of a service contact within 7 days, by hand: counts, smoothing, fading and the wait for outcomes.

The tables use a half-life of 8 days and begin at the landmark. So an observation of day 0 weighs 1, one of day 8 weighs
2 and one of day 16 weighs 4. Smoothing towards a wider group adds 100 observations of the newest day: a weight of 200
if that is day 8.
"""

from typing import NamedTuple

import pytest

from streams.journeys.prediction.forward_decay import LANDMARK_MS
from streams.journeys.prediction.risk import DAY_MS, Risk, Standing

HALF_LIFE = 8 * DAY_MS
CART = Standing("cart", "delivery_delayed", 1, open_issue=False)
OTHER_STAGE = CART._replace(stage="trial")
OTHER_TYPE = CART._replace(type="page_viewed")
OTHER_FRICTION = CART._replace(friction=3)
OTHER_ISSUE = CART._replace(open_issue=True)
UNSEEN = Standing("lapsed", "email_opened", 2, open_issue=True)


class Seen(NamedTuple):
    """Observations of one standing on one day, and how many of them a contact followed."""

    standing: Standing
    day: float
    observed: int
    hits: int


def at(day: float) -> int:
    return LANDMARK_MS + round(day * DAY_MS)


def count(risk: Risk, *seen: Seen) -> Risk:
    for standing, day, observed, hits in seen:
        for _ in range(observed):
            risk.observe(standing, at(day))
        for _ in range(hits):
            risk.hit(standing, at(day))
    return risk


def newest(day: float) -> Seen:
    """One observation whose outcome is not known yet: it only moves time on."""
    return Seen(CART, day, 1, 0)


@pytest.mark.parametrize(
    ("seen", "base_rate"),
    [
        pytest.param([], None, id="without an observation there is no rate"),
        pytest.param([Seen(CART, 0, 4, 1), newest(7)], None, id="seven days later a day's outcomes are open"),
        pytest.param(
            [Seen(CART, 0, 4, 1), newest(7.999)], None, id="they are open until the eighth day begins"
        ),
        pytest.param([Seen(CART, 0, 4, 1), newest(8)], 1 / 4, id="one hit among four is a quarter"),
        pytest.param(
            [Seen(CART, 0, 4, 1), Seen(CART, 1, 4, 4), newest(8)],
            1 / 4,
            id="a day whose outcomes are open does not count",
        ),
        pytest.param(
            [Seen(CART, 0, 200, 100), Seen(CART, 8, 200, 0), newest(16)],
            100 / (200 + 2 * 200),
            id="an observation that is a half-life newer weighs twice as much",
        ),
        pytest.param(
            [Seen(CART, 0, 4, 0), newest(8), Seen(CART, 0, 0, 1)],
            1 / 4,
            id="a hit that is reported after its day's outcomes were closed still counts",
        ),
        pytest.param(
            [newest(8), Seen(CART, 0, 4, 1)], 1 / 4, id="a late observation counts as if it had come in time"
        ),
    ],
)
def test_the_base_rate_is_the_share_of_hits_among_observations_with_known_outcomes(seen, base_rate) -> None:
    assert count(Risk(HALF_LIFE), *seen).base_rate == base_rate


HALF_OF_CART = Seen(CART, 0, 200, 100)


@pytest.mark.parametrize(
    ("other", "asked", "probability"),
    [
        pytest.param(OTHER_STAGE, CART, 0.375, id="own share: (100 + 200 x 1/4) / 400"),
        pytest.param(OTHER_STAGE, OTHER_STAGE, 0.125, id="share of another stage: (0 + 200 x 1/4) / 400"),
        pytest.param(
            OTHER_STAGE, CART._replace(stage="lapsed"), 0.25, id="an unseen stage has the share of its type"
        ),
        pytest.param(
            OTHER_TYPE,
            CART,
            0.4375,
            id="type (100 + 200 x 1/4) / 400 = 0.375, then (100 + 200 x 0.375) / 400",
        ),
        pytest.param(OTHER_TYPE, OTHER_TYPE, 0.0625, id="type 50 / 400 = 0.125, then 200 x 0.125 / 400"),
        pytest.param(
            OTHER_TYPE,
            CART._replace(type="email_opened"),
            0.25,
            id="an unseen type has the share of its friction",
        ),
        pytest.param(OTHER_FRICTION, CART, 0.46875, id="friction 0.375, type 0.4375, then 187.5 / 400"),
        pytest.param(
            OTHER_FRICTION, OTHER_FRICTION, 0.03125, id="friction 0.125, type 0.0625, then 12.5 / 400"
        ),
        pytest.param(OTHER_ISSUE, CART, 0.46875, id="an open issue separates groups as friction does"),
        pytest.param(
            OTHER_FRICTION, UNSEEN, 0.25, id="a wholly unseen standing has the base rate: 100 / 400"
        ),
    ],
)
def test_a_share_is_smoothed_towards_wider_and_wider_groups(other, asked, probability) -> None:
    risk = count(Risk(HALF_LIFE), HALF_OF_CART, Seen(other, 0, 200, 0), newest(8))
    assert risk.probability(asked) == probability


@pytest.mark.parametrize(
    ("seen", "probability"),
    [
        pytest.param([], None, id="without an observation there is none"),
        pytest.param([Seen(CART, 0, 4, 1), newest(7)], None, id="without a known outcome there is none"),
        pytest.param([Seen(CART, 0, 1, 3), newest(8)], 1.0, id="hits of lost observations make it 1 at most"),
        pytest.param([Seen(CART, 0, 3, 0), newest(8)], 0.0, id="without a hit it is 0"),
    ],
)
def test_a_probability_is_between_0_and_1_or_unknown(seen, probability) -> None:
    assert count(Risk(HALF_LIFE), *seen).probability(CART) == probability


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param([HALF_OF_CART], [Seen(OTHER_STAGE, 0, 200, 0), newest(8)], id="two standings"),
        pytest.param([Seen(CART, 0, 200, 0), newest(8)], [Seen(OTHER_STAGE, 0, 200, 0), Seen(CART, 0, 0, 100)],
                     id="an observation here and its hit there"),
        pytest.param([HALF_OF_CART, newest(8)], [Seen(OTHER_STAGE, 0, 200, 0)],
                     id="the other part has seen no later day"),
    ],
)  # fmt: skip
def test_two_parts_add_up_to_the_whole(one, other) -> None:
    whole = count(Risk(HALF_LIFE), *one)
    whole.absorb(count(Risk(HALF_LIFE), *other))
    assert whole.base_rate == 0.25
    assert whole.probability(CART) == 0.375
    assert whole.probability(OTHER_STAGE) == 0.125
