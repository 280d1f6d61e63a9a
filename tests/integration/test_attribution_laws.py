"""Laws of attribution over drawn paths: nothing is lost, equals are treated alike, Shapley's is Shapley's value."""

from collections.abc import Iterator
from itertools import combinations, count
from math import factorial, isclose
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas.records import Touchpoint
from schemas.settings import Settings
from sinks.clickhouse.write.catalogue import put_in_force
from tests.integration.store import Store, migrated
from tests.integration.test_questions import EVER, Asked
from tests.support.attribution_oracle import Path, credits_of
from tests.support.touchpoints import touchpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

CAMPAIGNS = "abcd"
ASKED = {
    **EVER, "goals": [], "touch_types": [], "within_seconds": 400 * 86_400, "by": "campaign", "top": 10,
}  # fmt: skip

#: Of each person: the campaigns that they touched, and what they paid at the end (None: they did not order).
ways = st.lists(
    st.tuples(st.text(CAMPAIGNS, min_size=1, max_size=5), st.one_of(st.none(), st.integers(0, 10_000))),
    min_size=1, max_size=9,
).filter(lambda drawn: any(money is not None for _, money in drawn))  # fmt: skip

tenants = count()


@pytest.fixture(scope="module")
def asked(clickhouse: ClickHouseServer) -> Iterator[Asked]:
    store = Store(migrated(clickhouse))
    put_in_force(store.where, meanings(Settings()))
    yield Asked(store)
    store.close()


def events(drawn: list[tuple[str, int | None]], rename: dict[str, str]) -> Iterator[Touchpoint]:
    """A click a day, and the order within the last one's session: a path has nothing but the clicks."""
    for person, (way, money) in enumerate(drawn):
        told: dict[str, Any] = {"ids": [("cookie", f"p{person}")]}
        for day, campaign in enumerate(way):
            clicked = {"type": "ad_click", "campaign": rename.get(campaign, campaign)}
            yield touchpoint(f"{person}-{day}", minute=day * 1440, **clicked, **told)
        if money is not None:
            bought = {"type": "order_placed", "amount_minor": money, "currency": "EUR"}
            yield touchpoint(f"{person}-order", minute=(len(way) - 1) * 1440 + 1, **bought, **told)


def answers(
    asked: Asked, drawn: list[tuple[str, int | None]], rename: dict[str, str] | None = None
) -> dict[str, Any]:
    """Model → campaign → conversions and revenue."""
    tenant = f"drawn-{next(tenants)}"
    asked.load(tenant, events(drawn, rename or {}))
    found: dict[str, Any] = {}
    for row in asked("attribution", tenant, **ASKED, models=[], half_life_seconds=86_400):
        found.setdefault(row["model"], {})[row["touch"]] = row["conversions"], row["revenue_minor"]
    return found


def worth(drawn: list[tuple[str, int | None]], players: frozenset[str]) -> int:
    """The conversions whose paths know only these players."""
    return sum(money is not None and set(way) <= players for way, money in drawn)


def shapley_value(drawn: list[tuple[str, int | None]], player: str) -> float:
    """By the formula over all subsets of the other players."""
    others = sorted({letter for way, _ in drawn for letter in way} - {player})
    n = len(others) + 1
    return sum(
        factorial(size) * factorial(n - size - 1) / factorial(n)
        * (worth(drawn, frozenset({*some, player})) - worth(drawn, frozenset(some)))
        for size in range(n)
        for some in combinations(others, size)
    )  # fmt: skip


@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)  # fmt: skip
@given(ways)
def test_credits_add_up_follow_their_definitions_and_know_no_names(
    asked: Asked, drawn: list[tuple[str, int | None]]
) -> None:
    found = answers(asked, drawn)
    paths = [
        Path(
            list(way), [(len(way) - 1 - day) * 86_400 + 60.0 for day in range(len(way))],
            money is not None, money or 0, "EUR" if money is not None else "",
        )
        for way, money in drawn
    ]  # fmt: skip
    for model, given_credits in found.items():
        assert isclose(sum(one for one, _ in given_credits.values()), sum(path.converted for path in paths))
        revenue = sum(path.amount for path in paths)
        assert isclose(sum(money for _, money in given_credits.values()), revenue, abs_tol=1e-6)
        expected = {touch: credit for (touch, _), credit in credits_of(model, paths, 86_400).items()}
        assert given_credits == {touch: pytest.approx(credit) for touch, credit in expected.items()}
    for player in {letter for way, _ in drawn for letter in way}:
        assert found["shapley"].get(player, (0, 0))[0] == pytest.approx(shapley_value(drawn, player))

    turned = answers(asked, drawn, {"a": "b", "b": "a"})
    swap = {"a": "b", "b": "a"}
    for model, given_credits in found.items():
        assert turned[model] == {
            swap.get(touch, touch): pytest.approx(credit) for touch, credit in given_credits.items()
        }
