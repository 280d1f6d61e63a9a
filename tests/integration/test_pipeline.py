"""The whole path on real parts: whatever the order and the number of workers, live equals replay."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.publisher import publish
from deploy.ingest.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from sinks.clickhouse.read.questions import ask, questions
from streams.identity.policy.load import configured
from streams.identity.policy.load import load as load_policy
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.integration.parts import Deployment, deployment, on_kafka, on_tansu

pytestmark = pytest.mark.sandbox

ECOM = Path(__file__).parents[3] / "shared" / "data" / "ecom.csv.gz"
ECOM_MAPPING = Path(__file__).parents[2] / "deploy" / "ingest" / "examples" / "ecom.toml"
needs_ecom = pytest.mark.skipif(not ECOM.exists(), reason="the ecom log is not beside this checkout")


def replayed(events: Iterable[Touchpoint], live: Deployment) -> Replay:
    settings = live.settings
    policy = load_policy("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    replay = Replay(policy, Catalogue.load(""), JourneyRules.load(""))
    for event in events:
        replay.add(event)
    return replay


def send(events: Iterable[Touchpoint], live: Deployment) -> None:
    settings = live.settings
    publish(events, settings, configured(settings))


def rows(live: Deployment, sql: str) -> list[tuple[Any, ...]]:
    return live.query(sql)


def assert_live_equals(replay: Replay, live: Deployment) -> None:
    states = {(s["tenant"], s["profile_id"]): s["state_hash"] for s in replay.states()}
    owners = {
        (o.touchpoint["tenant"], o.touchpoint["source"], o.touchpoint["event_id"], o.profile_id)
        for o in replay.owned()
    }

    live_states = {(t, p): h for t, p, h in rows(live, "SELECT tenant, profile_id, state_hash FROM journeys")}
    live_owners = rows(live, "SELECT tenant, source, event_id, profile_id FROM touchpoints_current")

    assert sorted(live_owners) == sorted(owners)
    assert live_states == states


def simulated(people: int, events: int, seed: int) -> list[Touchpoint]:
    command = [sys.executable, "-m", "deploy.cli", "simulate"]
    command += ["--people", str(people), "--events", str(events), "--seed", str(seed)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    path_events = [json.loads(line) for line in lines.splitlines()]
    from schemas.touchpoint.json_form import from_json

    return [from_json(event, 0) for event in path_events]


def ecom_events() -> list[Touchpoint]:
    sourced = read_touchpoints([str(ECOM)], load_mapping(str(ECOM_MAPPING)))
    return [item.touchpoint for item in sourced if item.touchpoint is not None]


def assert_ecom_answers(live: Deployment) -> None:
    assert rows(live, "SELECT count() FROM touchpoints_current") == [(31_076,)]
    assert rows(live, "SELECT count(), sum(sessions), sum(orders) FROM journeys") == [(600, 3_605, 470)]
    assert rows(live, "SELECT sum(carts), sum(carts) - sum(carts_met) FROM journeys") == [(1_213, 743)]
    assert rows(live, "SELECT count() FROM sessions") == [(3_605,)]
    assert_ecom_questions(live)


def assert_ecom_questions(live: Deployment) -> None:
    """The strict funnel of sessions ends after so many of its four steps, and the carts are those of the journeys."""
    ever = {"tenant": "default", "since": 0, "until": 2**41}
    steps = ["product_view", "add_to_cart", "cart", "purchase"]
    _, found = ask(
        live.settings.clickhouse(), questions()["funnel"],
        {**ever, "steps": steps, "within_seconds": 10**9, "order": "strict", "per": "session", "by": "", "top": 1},
    )  # fmt: skip
    reached, stopped = [row[3] for row in found], [row[4] for row in found]
    assert [3_605 - reached[0], *stopped] == [737, 1_925, 467, 348, 128]
    _, carts = ask(
        live.settings.clickhouse(), questions()["carts"], {**ever, "within_seconds": 604_800, "by": "channel"}
    )
    met = sum(row[2] for row in carts if row[0] == "ordered in time")
    assert (sum(row[2] for row in carts), sum(row[2] for row in carts) - met) == (1_213, 743)


@needs_ecom
@on_kafka
def test_the_ecom_log_gives_its_known_answers_and_equals_replay(broker, clickhouse, tmp_path) -> None:
    events = ecom_events()
    assert len(events) == 31_106
    with deployment(broker, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()

        assert_ecom_answers(live)
        assert_live_equals(replayed(events, live), live)


@pytest.mark.soak
@needs_ecom
@on_tansu
def test_the_ecom_log_shuffled_with_every_line_twice_gives_the_same(broker, clickhouse, tmp_path) -> None:
    events = ecom_events()
    doubled = events * 2
    Random(20240313).shuffle(doubled)
    with deployment(broker, clickhouse, log_dir=tmp_path) as live:
        send(doubled, live)
        live.wait_idle()

        assert_ecom_answers(live)
        assert_live_equals(replayed(events, live), live)


@pytest.mark.parametrize(
    ("broker", "workers"),
    [
        pytest.param("tansu", 1, marks=pytest.mark.soak),
        pytest.param("kafka", 2, marks=pytest.mark.kafka),
        pytest.param("tansu", 2, marks=pytest.mark.soak),
        pytest.param("kafka", 1, marks=[pytest.mark.kafka, pytest.mark.soak]),
    ],
    indirect=["broker"],
)
def test_a_simulated_population_equals_replay(broker, clickhouse, tmp_path, workers: int) -> None:
    events = simulated(people=300, events=6_000, seed=workers)
    with deployment(broker, clickhouse, workers, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()

        replay = replayed(events, live)
        assert len({o.profile_id for o in replay.owned()}) < len(events)
        assert next(replay.changes(), None) is not None
        assert_live_equals(replay, live)


def wait_for_states(live: Deployment) -> None:
    """Until the worker is in the middle of its work: some journeys are out, most events are not processed."""
    deadline = time.monotonic() + 60
    while rows(live, "SELECT count() FROM raw_journey_states") == [(0,)]:
        assert time.monotonic() < deadline, "no journey came out in a minute"
        time.sleep(0.05)
