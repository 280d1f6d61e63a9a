"""What happens in a sample: a bit of everything that leaves a trace in somebody's state."""

from itertools import chain

from deploy.simulation.population import Population, simulate
from schemas.records import Touchpoint
from tests.support.touchpoints import touchpoint

DAY = 24 * 60
#: So many of the shop's touchpoints come before the upgrade.
OLD = 140
ANN, BEN, BEA = ("customer_id", "C1001"), ("customer_id", "C2002"), ("customer_id", "C3003")


def earlier() -> list[Touchpoint]:
    """Before the upgrade: a shop's customers over two months, another tenant, and people with a fate of their own."""
    other = simulate(Population(people=4, events=24, seed=2, tenant="other"))
    return [*_shop()[:OLD], *other, *_regular(), *_fates()]


def later() -> list[Touchpoint]:
    """After it: the same customers go on, and what they do touches all that is known of them."""
    return [*_shop()[OLD:], *_news()]


def _shop() -> list[Touchpoint]:
    return list(simulate(Population(people=12, events=190, seed=1, days=70)))


def _regular() -> list[Touchpoint]:
    """Somebody whose early visits lie beyond the horizon."""
    types = ("product_view", "page_view", "cart_opened", "search", "payment_error")
    return [
        touchpoint(f"r{n}", minute=n * 300, ids=[("cookie", "regular")], type=types[n * n % 7 % 5])
        for n in range(180)
    ]


def _fates() -> list[Touchpoint]:
    """A login that comes late, a golden record that is withdrawn later, a device that is shared, an erasure."""
    return [
        touchpoint("a1", minute=0, ids=[("cookie", "ann-phone")], type="cart_opened"),
        touchpoint("a2", minute=60 * DAY, ids=[("cookie", "ann-laptop"), ANN], type="order_placed", amount_minor=999,
                   currency="EUR", account_id="A-1"),
        touchpoint("a3", minute=1, ids=[("cookie", "ann-phone"), ANN]),
        touchpoint("b1", minute=4, ids=[("cookie", "ben"), BEN], account_id="A-1"),
        touchpoint("b2", minute=5, ids=[BEA, ("cookie", "bea")]),
        touchpoint("b3", minute=6, ids=[BEN, BEA], link="ASSERTED"),
        touchpoint("s1", minute=10, ids=[("cookie", "tablet"), ANN]),
        touchpoint("s2", minute=20, ids=[("cookie", "tablet"), BEN]),
        touchpoint("s3", minute=21, ids=[("cookie", "tablet")]),
        touchpoint("m1", minute=30, ids=[("email", "mia@example.org"), ("cookie", "mia")]),
        touchpoint("m2", minute=31, ids=[("email", "mia@example.org")], type="issue_opened", issue_id="I-1"),
        touchpoint("x1", minute=40, ids=[("cookie", "gone"), ("customer_id", "C4004")]),
        touchpoint("x2", minute=41, ids=[("customer_id", "C4004")], type="erasure_requested"),
    ]  # fmt: skip


def _news() -> list[Touchpoint]:
    """Somebody returns to each of the fates: late, on the shared device, after the erasure; the regular logs in."""
    return list(
        chain(
            (touchpoint(f"a-late-{n}", minute=2 + n, ids=[("cookie", "ann-phone")]) for n in range(3)),
            [
                touchpoint("r-login", minute=61 * DAY, ids=[("cookie", "regular"), ANN]),
                touchpoint("a4", minute=61 * DAY, ids=[("cookie", "ann-tablet"), ANN], account_id="A-2"),
                touchpoint("b4", minute=61 * DAY, ids=[("cookie", "ben")]),
                touchpoint("b5", minute=61 * DAY + 1, ids=[("cookie", "bea"), BEA]),
                touchpoint("s4", minute=61 * DAY, ids=[("cookie", "tablet")]),
                touchpoint("m3", minute=32, ids=[("email", "mia@example.org"), ("customer_id", "C5005")]),
                touchpoint("x3", minute=42, ids=[("cookie", "gone"), ("customer_id", "C4004")]),
                touchpoint("x4", minute=39, ids=[("customer_id", "C4004")]),
                touchpoint("b2", minute=5, ids=[BEA, ("cookie", "bea")]),
            ],
        )
    )
