"""A catalogue or a schema that changes while a deployment runs: what the next worker does with what is there."""

import json
import shutil
from io import BytesIO
from pathlib import Path

import pytest
from fastavro import parse_schema, schemaless_writer
from kafka import KafkaProducer

from deploy.cli import backfill, dead_letters
from deploy.sandbox import Process
from schemas.catalogue import Catalogue
from schemas.encoding.codec import MARKER
from schemas.encoding.registry import current, fingerprint_of
from schemas.keys import identifier_key
from schemas.topics import TOUCHPOINTS
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.integration.commands import answer
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.test_pipeline import assert_live_equals, send
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
EVENTS = [
    touchpoint(f"{who}-{minute}", minute=minute, type=kind, ids=[("cookie", who)])
    for who in ("ann", "ben", "cem")
    for minute, kind in ((0, "product_view"), (5, "error_page"), (9, "add_to_cart"))
]
NEW_MEANING = '[types.error_page]\ncomponent = "commerce"\nfriction = 9\nmoment = "ouch"\n'


def replayed(live: Deployment, events: list, catalogue: str = "") -> Replay:
    settings = live.settings
    policy = load("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    replay = Replay(policy, Catalogue.load(catalogue), JourneyRules.load(""))
    for event in events:
        replay.add(event)
    return replay


def friction(live: Deployment) -> dict[str, float]:
    found = live.query("SELECT identifiers.value[1], friction FROM journeys")
    return {who: round(value, 1) for who, value in found}


def next_worker(live: Deployment, **env: str) -> None:
    """The worker that runs stops, and another goes on in its place, with another environment."""
    assert live.workers[0].stop() == 0
    log = live.logs / "next-worker.log"
    live.workers = [Process("next worker", [*TOUCHLINE, "worker"], log, live.settings.to_env() | env)]
    live.workers[0].start()


@pytest.mark.soak
def test_a_new_catalogue_takes_over_with_each_publication_and_for_all_by_a_backfill(
    tansu, clickhouse, tmp_path: Path
) -> None:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(NEW_MEANING)
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(EVENTS, live)
        live.wait_idle()
        assert_live_equals(replayed(live, EVENTS), live)
        before = friction(live)

        next_worker(live, TOUCHLINE_CATALOGUE=str(catalogue))
        more = touchpoint("ann-10", minute=10, type="product_view", ids=[("cookie", "ann")])
        send([more], live)
        live.wait_idle()
        # whose journey goes on is told by the new meanings, from its beginning; nobody else's has moved
        after = friction(live)
        assert after["ann"] > 2 * before["ann"]
        assert {who: after[who] for who in ("ben", "cem")} == {who: before[who] for who in ("ben", "cem")}

        assert answer(live, backfill.command, since="1h", republish=True)["republished"] == len(EVENTS) + 1
        live.wait_idle()
        assert_live_equals(replayed(live, [*EVENTS, more], str(catalogue)), live)


def release_with_a_further_field(folder: Path) -> dict[str, str]:
    """The next release in a folder of its own: its Touchpoint has a field more. Returns the environment to run it."""
    for package in ("schemas", "streams", "sinks", "deploy"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "schemas/avro/Touchpoint.avsc"
    path.write_text(json.dumps(with_a_further_field(json.loads(path.read_text()))))
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def with_a_further_field(schema: dict) -> dict:
    further = {"name": "device", "type": ["null", "string"], "default": None}
    return {**schema, "fields": [*schema["fields"], further]}


def publish_with_a_further_field(live: Deployment, event: dict) -> None:
    schema = with_a_further_field(current()["Touchpoint"])
    value = BytesIO(MARKER + fingerprint_of(schema))
    value.seek(0, 2)
    schemaless_writer(value, parse_schema(schema), {**event, "device": "phone"})
    key = identifier_key(event["tenant"], event["identifiers"][0])
    producer = KafkaProducer(bootstrap_servers=live.settings.brokers, acks="all", enable_idempotence=False)
    producer.send(live.settings.topic(TOUCHPOINTS.name), key=key, value=value.getvalue())
    producer.flush()
    producer.close()


@pytest.mark.soak
def test_a_source_that_is_upgraded_before_the_workers_waits_among_the_dead_letters(
    tansu, clickhouse, tmp_path: Path
) -> None:
    early = touchpoint("early", minute=20, ids=[("cookie", "ann")])
    with deployment(tansu, clickhouse, loader=False, log_dir=tmp_path) as live:
        send(EVENTS, live)
        publish_with_a_further_field(live, early)
        live.wait_idle()
        (kind,) = answer(live, dead_letters.list_letters)["counts"]
        assert (kind["reason"], kind["component"], kind["letters"]) == ("UNDECODABLE", "stitch", 1)

        env = release_with_a_further_field(tmp_path / "next")
        next_worker(live, **env)
        live.loader = Process(
            "next loader", [*TOUCHLINE, "load"], tmp_path / "next-loader.log", live.settings.to_env() | env
        )
        live.loader.start()
        assert answer(live, dead_letters.replay)["sent"] == 1
        publish_with_a_further_field(live, touchpoint("late", minute=21, ids=[("cookie", "ben")]))
        live.wait_idle()

        ids = live.query("SELECT event_id FROM touchpoints_current")
        assert {event_id for (event_id,) in ids} == {event["event_id"] for event in EVENTS} | {
            "early",
            "late",
        }
        assert live.query("SELECT sum(touchpoints) FROM journeys") == [(len(EVENTS) + 2,)]
