"""Reading again what topics retain, on real parts: it repairs what was missed and changes nothing that was right."""

import threading
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.backfill import Group, command
from deploy.simulation.population import Population, simulate
from schemas.errors import TouchlineError
from tests.integration.commands import answer
from tests.integration.parts import Deployment, deployment
from tests.integration.processes import wait_until
from tests.integration.test_pipeline import assert_live_equals, replayed, send

pytestmark = pytest.mark.sandbox


@pytest.mark.soak
def test_a_month_published_again_beside_live_traffic_changes_nothing_that_was_right(
    kafka, clickhouse, tmp_path: Path
) -> None:
    events = list(simulate(Population(people=200, events=4_000, seed=11, days=30)))
    month, live_traffic = events[:3_000], events[3_000:]
    with deployment(kafka, clickhouse, log_dir=tmp_path) as live:
        send(month, live)
        live.wait_idle()

        traffic = threading.Thread(target=send, args=(live_traffic, live))
        traffic.start()
        assert answer(live, command, since="1h", republish=True)["republished"] >= len(month)
        traffic.join()
        live.wait_idle()

        assert_live_equals(replayed(events, live), live)
        counted = live.query("SELECT count(), uniqExact(event_id) FROM touchpoints_current")
        assert counted[0][0] == counted[0][1]


@pytest.mark.soak
def test_the_loader_reads_again_what_a_table_has_lost_and_the_workers_what_they_read_already(
    kafka, clickhouse, tmp_path: Path
) -> None:
    events = list(simulate(Population(people=100, events=2_000, seed=12, days=30)))
    with deployment(kafka, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()
        assert "are running, or were killed" in refusal(live, since="1h", group=Group.LOADER)

        assert live.loader is not None
        assert live.loader.stop(timeout=60) == 0
        assert live.workers[0].stop(timeout=60) == 0
        live.query("TRUNCATE TABLE raw_touchpoints")
        live.query("TRUNCATE TABLE raw_journey_states")
        planned = answer(live, command, since="1h", group=Group.LOADER, dry_run=True)
        assert moved(live, since="1h", group=Group.LOADER) == planned["moved"]
        (worker,) = moved(live, since="1h", topic=["touchpoints"])
        assert (worker["group"], worker["topic"]) == ("touchline-worker", "touchpoints")
        assert worker["records"] >= len(events)

        live.workers[0].start()
        live.start_loader()
        live.wait_idle()
        assert_live_equals(replayed(events, live), live)


def test_what_cannot_be_meant_is_refused(tansu, clickhouse, tmp_path: Path) -> None:
    with deployment(tansu, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live:
        assert "say what to read again" in refusal(live, since="1h")
        assert "--to needs --republish" in refusal(live, since="1h", until="5m", group=Group.LOADER)
        assert "--topic nothing is not read by" in refusal(live, since="1h", topic=["nothing"])
        assert "write an ISO time" in refusal(live, since="yesterday", group=Group.LOADER)
        assert moved(live, since="1h", group=Group.WORKER) == []


def refusal(live: Deployment, **options: Any) -> str:
    with pytest.raises(TouchlineError) as refused:
        answer(live, command, **options)
    return str(refused.value)


def moved(live: Deployment, **options: Any) -> list[dict[str, Any]]:
    """What was moved, once the broker has noticed that the members have left."""
    answers: list[dict[str, Any]] = []

    def succeeds() -> bool:
        try:
            answers.append(answer(live, command, **options))
        except TouchlineError:
            return False
        return True

    wait_until(succeeds)
    found: list[dict[str, Any]] = answers[0]["moved"]
    return found
