"""Predictions on real parts: in the states and their table, written down, and there again after a kill."""

from pathlib import Path

import pytest

from deploy.sandbox import ClickHouseServer, TansuBroker
from deploy.simulation.population import Population, simulate
from tests.integration.parts import Deployment, deployment
from tests.integration.test_pipeline import assert_live_equals, replayed, send

pytestmark = pytest.mark.sandbox


@pytest.mark.soak
def test_predictions_outlive_a_killed_worker_and_change_no_hash(
    tansu: TansuBroker, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    rules = tmp_path / "journey.toml"
    rules.write_text("[prediction]\nlikely_next = true\nissue_risk = true\n")
    events = list(simulate(Population(people=100, events=1_600, seed=11, days=40)))
    with deployment(tansu, clickhouse, log_dir=tmp_path, partitions=1, journey_rules=str(rules)) as live:
        send(events[:1_500], live)
        live.wait_idle()
        assert live.query(
            "SELECT countIf(length(likely_next) = 3) > 0, countIf(issue_risk IS NOT NULL) > 0,"
            " max(arraySum(next -> next.probability, likely_next)) <= 1.001 FROM journeys"
        ) == [(1, 1, 1)]
        learnt = newest_model(live)
        assert learnt >= 200

        live.workers[0].kill()
        live.workers[0].start()
        send(events[1_500:], live)
        live.wait_idle()

        assert newest_model(live) >= learnt, "100 more alone would not be enough to predict from"
        assert_live_equals(replayed(events, live), live)


def newest_model(live: Deployment) -> int:
    """How many touchpoints the model of the newest published state had learnt."""
    ((version,),) = live.query(
        "SELECT model_version FROM raw_journey_states ORDER BY version DESC, source_offset DESC LIMIT 1"
    )
    form, partition, learnt = version.split(".")
    assert (form, partition) == ("1", "0")
    return int(learnt)
