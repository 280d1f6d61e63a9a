"""Hundreds of hostile inputs through a real sandbox: each ends as a row or a dead letter, or its sender is told.

The mutations are those of tests/fuzz. What an input must become is decided in this process by the same reader; where it
has gone is read from ClickHouse. An input that is in neither place is lost.
"""

import json
import re
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from kafka import KafkaProducer

from deploy.ingest.reading.files import read_entries
from schemas.encoding.codec import decode
from schemas.keys import partition_of
from schemas.topics import TOUCHPOINTS
from tests.fuzz.edges import JSON, Edge, edges, tried
from tests.fuzz.http import UNSOURCED
from tests.fuzz.mutate import mutated
from tests.integration.collecting import collector
from tests.integration.parts import TOUCHLINE, Deployment, deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

SEED = 20
TOUCHPOINT_RECORDS, INTERNAL_RECORDS, POSTS, LINES = 300, 240, 150, 150
SOURCE = "hostile"
#: Beyond which a broker refuses a record, so that its sender knows.
MOST = 900_000
#: (topic, partition, offset)
Place = tuple[str, int, int]
Event = tuple[str, str, str]


def topics_of() -> dict[str, list[Edge]]:
    """Topic → the edges of the fuzz that read its records."""
    found: dict[str, list[Edge]] = {}
    for edge in edges():
        if edge.name.startswith("topic "):
            found.setdefault(edge.name.removeprefix("topic ").partition(":")[0], []).append(edge)
    return found


def hostile_records(random: Random) -> Iterator[tuple[str, Edge, bytes]]:
    """Topic, edge and value."""
    by_topic = topics_of()
    own = by_topic.pop(TOUCHPOINTS.name)
    others = [(topic, edge) for topic, found in sorted(by_topic.items()) for edge in found]
    for number in range(TOUCHPOINT_RECORDS + INTERNAL_RECORDS):
        topic, edge = (
            (TOUCHPOINTS.name, own[0]) if number < TOUCHPOINT_RECORDS else others[number % len(others)]
        )
        yield topic, edge, mutated(random.choice(edge.right), edge.right, random)[:MOST]


def event_of(value: bytes) -> Event:
    _, record = decode(value)
    return record["tenant"], record["source"], record["event_id"]


def published(live: Deployment, random: Random) -> tuple[dict[Place, str], dict[Place, Event]]:
    """Publish all records. Returns what must be dead letters, and which touchpoints must be rows, by their places."""
    refused: dict[Place, str] = {}
    rows: dict[Place, Event] = {}
    producer = KafkaProducer(bootstrap_servers=live.settings.brokers, enable_idempotence=False, linger_ms=20)
    sent = []
    for topic, edge, value in hostile_records(random):
        key = b"default/hostile"
        partition = partition_of(key, live.settings.partitions)
        sent.append(
            (topic, edge, value, producer.send(live.settings.topic(topic), value, key, partition=partition))
        )
    producer.flush()
    producer.close()
    for topic, edge, value, future in sent:
        at = future.get(30)
        place = topic, at.partition, at.offset
        if not tried(edge, value):
            refused[place] = edge.name
        elif topic == TOUCHPOINTS.name:
            rows[place] = event_of(value)
    return refused, rows


def posted(url: str, random: Random) -> tuple[Counter[int], set[str]]:
    """Post mutated bodies. Returns the statuses, and the ids of events that the collector has accepted."""
    statuses, accepted = Counter[int](), set[str]()
    for number in range(POSTS):
        right = re.sub(rb'"event_id":"\w+"', b'"event_id":"post-%d"' % number, random.choice(UNSOURCED))
        body = mutated(right, UNSOURCED, random)[:MOST]
        headers = {"Authorization": f"Bearer key-{SOURCE}", "Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"{url}/v1/touchpoints", body, headers), timeout=60
            ) as answer:
                statuses[answer.status] += 1
                told = json.loads(answer.read())
                accepted |= {one["event_id"] for one in told["results"] if one["status"] == "accepted"}
        except urllib.error.HTTPError as error:
            statuses[error.code] += 1
            if not json.loads(error.read()):
                pytest.fail("a refusal does not say why")
    return statuses, accepted


def read_file(live: Deployment, folder: Path, random: Random) -> dict[str, Any]:
    """Publish a file of mutated lines. Returns what the command says, with the lines and rejects counted here."""
    path, rejects = folder / "hostile.jsonl", folder / "rejects.jsonl"
    path.write_bytes(
        b"\n".join(mutated(random.choice(JSON), JSON, random)[:MOST] for _ in range(LINES)) + b"\n"
    )
    done = subprocess.run(
        [*TOUCHLINE, "publish", str(path), "--rejects", str(rejects), "--json"],
        env=live.env(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {
        "entries": sum(1 for _ in read_entries(str(path), "jsonl")),
        "rejected lines": len(rejects.read_text().splitlines()) if rejects.exists() else 0,
    }


def test_of_hundreds_of_hostile_inputs_none_is_lost_and_no_process_ends(
    tansu, clickhouse, tmp_path: Path
) -> None:
    random = Random(SEED)
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        (worker,), loader = live.workers, live.loader
        assert loader is not None
        pids = worker.pid, loader.pid
        refused, rows = published(live, random)
        with collector(live, tmp_path, SOURCE) as collecting:
            statuses, accepted = posted(collecting.url, random)
            assert collecting.process.alive
        told = read_file(live, tmp_path, random)
        live.wait_idle(timeout=600)

        assert (worker.pid, loader.pid) == pids
        prefix = live.settings.topic_prefix
        letters = {
            (topic.removeprefix(prefix), partition, offset): reason
            for topic, partition, offset, reason in live.query(
                "SELECT topic, partition, offset, reason FROM dead_letters FINAL"
            )
        }
        stored = set(live.query("SELECT DISTINCT tenant, source, event_id FROM raw_touchpoints"))
        ids = {event_id for _, source, event_id in stored if source == SOURCE}

    lost = {
        "records refused, and no dead letter": [place for place in refused if place not in letters],
        "touchpoints neither stored nor a dead letter": [
            place for place, event in rows.items() if event not in stored and place not in letters
        ],
        "accepted by the collector, and not stored": sorted(accepted - ids),
    }
    figures = {
        "records": TOUCHPOINT_RECORDS + INTERNAL_RECORDS, "dead letters": len(letters),
        "touchpoints of records stored": sum(event in stored for event in rows.values()),
        "posts by status": dict(sorted(statuses.items())), "accepted": len(accepted), "file": told,
    }  # fmt: skip
    print(json.dumps(figures))
    assert {what: places for what, places in lost.items() if places} == {}, figures
    assert "UNEXPECTED" not in letters.values()
    assert min(len(refused), len(rows)) > 30, figures  # the inputs are of both kinds
    assert min(len(accepted), told["sent"]) > 2, figures
    assert told["entries"] == told["sent"] + told["rejected lines"], told
