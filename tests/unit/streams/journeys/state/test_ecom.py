"""Known answers on a real event log (the data's README), without using its session column."""

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

import pytest

from schemas.records import Touchpoint
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import advance_all
from tests.support.journeys import CATALOGUE, RULES, fold, in_order, touchpoint
from tests.support.journeys_of import fed

LOG = Path("/work/shared/data/ecom.csv.gz")


@pytest.mark.skipif(not LOG.exists(), reason="the ecom log is not on this machine")
def test_the_ecom_log_has_3605_sessions_and_743_abandoned_carts_of_1213() -> None:
    totals: Counter[str] = Counter()
    for journey in _journeys().values():
        folded = Fold(CATALOGUE, RULES)
        advance_all(folded, ((item, item["identifiers"][0]) for item in journey))
        state = folded.state("default", "p1", 1)
        for name in ("touchpoints", "sessions", "carts", "carts_met", "orders"):
            totals[name] += state[name]  # type: ignore[literal-required]
        totals.update(signal.kind for signal in folded.signals(2**53) if signal.kind == "abandoned_cart")
    assert totals == {
        "touchpoints": 31_076,
        "sessions": 3_605,
        "carts": 1_213,
        "carts_met": 470,
        "orders": 470,
        "abandoned_cart": 743,
    }


@pytest.mark.skipif(not LOG.exists(), reason="the ecom log is not on this machine")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_ecom_log_shuffled_delayed_and_doubled_gives_every_state_of_the_log_in_order(seed: int) -> None:
    random = Random(seed)
    for journey in _journeys().values():
        arriving = [*journey, *random.choices(journey, k=len(journey))]
        random.shuffle(arriving)
        timeline = fed(arriving, RULES, every=random.randint(1, 300))
        assert timeline.state(CATALOGUE, RULES) == fold(*journey).state("default", "p1", 0)


@cache
def _journeys() -> dict[str, list[Touchpoint]]:
    with gzip.open(LOG, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    users: dict[str, list[Touchpoint]] = {}
    for row in rows:
        assert CATALOGUE.known(row["event"]), row["event"]
        at = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC)
        users.setdefault(row["user_id"], []).append(
            touchpoint(
                row["event"],
                event_id="|".join(row.values()),
                occurred_at=round(at.timestamp() * 1000),
                channel=row["platform"],
                identifiers=[{"type": "user_id", "value": row["user_id"]}],
            )
        )
    return {user: in_order(journey) for user, journey in users.items()}
