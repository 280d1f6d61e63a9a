"""`touchline publish` and `simulate` on real brokers: all arrives, keyed and pseudonymised, or is named."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.ingest import publisher
from deploy.ingest.publisher import Publisher, publish
from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import Broker, TansuBroker
from deploy.simulation.population import Population, simulate
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import Reason, SettingsError
from schemas.keys import identifier_key, partition_of
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.touchpoint.json_form import to_json
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from tests.integration.parts import on_kafka, on_tansu
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

TOUCHLINE = [sys.executable, "-m", "deploy.cli"]
SECRET = "0123456789abcdef" * 4
ECOM = Path("../shared/data/ecom.csv.gz")


@pytest.fixture
def settings(broker: Broker) -> Settings:
    found = Settings(
        brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:8]}.", partitions=4, pseudonym_key=SECRET
    )
    create_topics(found)
    return found


@pytest.fixture(scope="module")
def policy() -> IdentityPolicy:
    return load("", SECRET.encode(), "k1")


def run(
    settings: Settings, *arguments: str, folder: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOUCHLINE, *arguments], capture_output=True, text=True, input=stdin, timeout=120, cwd=folder,
        env={**os.environ, **settings.to_env(), "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip


def consumed(settings: Settings, count: int) -> list[tuple[int, bytes, Touchpoint]]:
    """Partition, key and touchpoint of every record on the topic, once `count` are there.

    Does not ask for the topic's end: Tansu answers with the beginning of the last batch.
    """
    topic = settings.topic("touchpoints")
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[tuple[int, bytes, Touchpoint]] = []
        deadline = time.monotonic() + 60
        while True:
            polled = consumer.poll(timeout_ms=500)
            for records in polled.values():
                found += [(r.partition, r.key, TOUCHPOINT.decode(r.value)) for r in records]  # type: ignore[misc]
            if not polled and len(found) >= count:
                return found
            assert time.monotonic() < deadline, f"{len(found)} of {count}"
    finally:
        consumer.close()


def by_id(event: Touchpoint) -> str:
    return event["event_id"]


def write(path: Path, events: list[Any]) -> str:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


def test_every_touchpoint_arrives_where_its_strongest_identifier_belongs(
    settings: Settings, policy: IdentityPolicy
) -> None:
    events = list(simulate(Population(people=50, events=2000, seed=1, tenant="acme")))
    seen: list[int] = []
    result = publish(events, settings, policy, on_progress=seen.append)
    assert (result.sent, result.rejected, seen[-1]) == (2000, {}, 2000)
    arrived = consumed(settings, 2000)
    expected = [prepare(event, policy, CATALOGUE)[1] for event in events]
    assert sorted((event for _, _, event in arrived), key=by_id) == sorted(expected, key=by_id)
    for partition, key, event in arrived:
        assert key == identifier_key("acme", event["identifiers"][0])
        assert partition == partition_of(key, settings.partitions)


@on_tansu
def test_no_email_address_or_phone_number_reaches_kafka(settings: Settings, policy: IdentityPolicy) -> None:
    event = touchpoint(ids=[("email", "Ann@Example.org"), ("phone", "+4915112345678")])
    publish([event], settings, policy)
    ((_, key, arrived),) = consumed(settings, 1)
    assert "example.org" not in f"{key!r}{arrived}".lower()
    assert "15112345678" not in f"{key!r}{arrived}"


@on_tansu
def test_what_breaks_the_contract_is_counted_and_the_rest_is_sent(
    settings: Settings, policy: IdentityPolicy
) -> None:
    events = [
        touchpoint("good"),
        touchpoint("blocked", ids=[("email", "null")]),
        touchpoint("wrong", sentiment=2.0),
        touchpoint("large", attributes={"a": "x" * 1024 * 1024}),
    ]
    result = publish(events, settings, policy)
    assert result.rejected == {Reason.NO_IDENTIFIER: 1, Reason.INVALID: 1, Reason.TOO_LARGE: 1}
    assert [event["event_id"] for _, _, event in consumed(settings, 1)] == ["good"]


def test_the_largest_record_is_taken(settings: Settings, policy: IdentityPolicy) -> None:
    noise = {f"a{number}": os.urandom(4096).hex() for number in range(15)}
    assert publish([touchpoint(attributes=noise)], settings, policy).sent == 1
    assert consumed(settings, 1)[0][2]["attributes"] == noise


@on_kafka
def test_memory_stays_bounded_by_waiting_for_confirmations(
    settings: Settings, policy: IdentityPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "MAX_PENDING", 10)
    with Publisher(settings, policy) as sender:
        for number in range(100):
            sender.send(touchpoint(str(number)))
            assert number + 1 - sender.sent <= 10
    assert sender.sent == 100


@on_tansu
def test_lines_are_published_from_files_and_standard_input_and_bad_ones_are_named(
    settings: Settings, tmp_path: Path
) -> None:
    good = [to_json(touchpoint(f"e{number}")) for number in range(3)]
    first = write(tmp_path / "first.jsonl", [good[0], {"event_id": "x"}, {**good[0], "chanel": "web"}])
    packed = tmp_path / "second.ndjson.gz"
    packed.write_bytes(gzip.compress(json.dumps(good[1]).encode() + b"\n{not json\n"))
    done = run(
        settings, "publish", first, str(packed), "-", "--json", folder=tmp_path, stdin=json.dumps(good[2])
    )
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["sent"], summary["rejected"]) == (1, 3, 3)
    assert summary["reasons"] == {"INVALID": 2, "UNDECODABLE": 1}
    rejects = [json.loads(line) for line in Path(tmp_path, summary["rejects"]).read_text().splitlines()]
    assert [(reject["file"], reject["line"]) for reject in rejects] == [
        (first, 2),
        (first, 3),
        (str(packed), 2),
    ]
    assert "did you mean channel" in rejects[1]["error"]
    assert rejects[2]["text"] == "{not json"
    assert "3 rejected" in done.stderr
    assert {event["event_id"] for _, _, event in consumed(settings, 3)} == {"e0", "e1", "e2"}


@pytest.mark.skipif(not ECOM.exists(), reason="the ecom log is not here")
@on_kafka
def test_the_ecom_log_is_published_whole(settings: Settings, tmp_path: Path) -> None:
    mapping = Path("deploy/ingest/examples/ecom.toml").resolve()
    done = run(settings, "publish", str(ECOM.resolve()), "--mapping", str(mapping), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("rejects-*")) == []
    ids = [event["event_id"] for _, _, event in consumed(settings, 31_106)]
    assert (len(ids), len(set(ids))) == (31_106, 31_076)


@on_kafka
def test_a_simulated_population_is_published_through_a_pipe(settings: Settings, tmp_path: Path) -> None:
    written = run(settings, "simulate", "--people", "20", "--events", "500", "--seed", "3", folder=tmp_path)
    assert written.stdout.count("\n") == 500
    again = run(settings, "simulate", "--people", "20", "--events", "500", "--seed", "3", folder=tmp_path)
    assert again.stdout == written.stdout
    done = run(settings, "publish", "-", "--json", folder=tmp_path, stdin=written.stdout)
    assert (done.returncode, json.loads(done.stdout)["sent"]) == (0, 500)


@on_tansu
def test_ctrl_c_flushes_what_was_accepted_and_says_how_many(settings: Settings, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*TOUCHLINE, "publish", "-", "--json", "--rate", "200"], cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **settings.to_env(), "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdin is not None
    for number in range(5):
        process.stdin.write(json.dumps(to_json(touchpoint(str(number)))) + "\n")
        process.stdin.flush()
    consumed(settings, 5)
    process.send_signal(signal.SIGINT)
    output, remarks = process.communicate(timeout=30)
    assert (process.returncode, json.loads(output)["sent"]) == (130, 5)
    assert "interrupted" in remarks


def test_a_dry_run_needs_no_broker(tmp_path: Path) -> None:
    settings = Settings(brokers=f"127.0.0.1:{free_port()}", pseudonym_key=SECRET)
    file = write(tmp_path / "a.jsonl", [to_json(touchpoint()), {}])
    done = run(settings, "publish", file, "--dry-run", "--json", folder=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["sent"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["none.jsonl"], "none.jsonl does not exist", 1),
        (["a.xlsx"], "not .jsonl or .csv", 1),
        (["a.csv", "--mapping", "shop"], "shipped are debezium-customers", 1),
        (["a.csv", "--resume"], "--resume: a dry run publishes nothing: leave --resume out", 1),
        (["a.csv"], "--mapping", 1),
        (["a.csv", "--mapping", "none.toml"], "none.toml cannot be read", 1),
        (["a.csv", "--mapping", "bad.toml"], "unknown key 'colums'", 1),
        ([], "Missing argument", 2),
        (["a.jsonl", "--rate", "fast"], "--rate", 2),
        (["a.jsonl", "--format", "xml"], "--format", 2),
    ],
)
def test_a_slip_is_one_clear_sentence(tmp_path: Path, arguments: list[str], says: str, code: int) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "bad.toml").write_text("[colums]\n")
    settings = Settings(brokers="127.0.0.1:1", pseudonym_key=SECRET)
    done = run(settings, "publish", "--dry-run", *arguments, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    settings = Settings(brokers=f"127.0.0.1:{free_port()}", pseudonym_key=SECRET)
    done = run(settings, "publish", write(tmp_path / "a.jsonl", [to_json(touchpoint())]), folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("touchline: no Kafka broker answers at")
    assert done.stderr.count("\n") == 1


def test_a_missing_topic_and_another_number_of_partitions_say_what_to_do(
    settings: Settings, policy: IdentityPolicy
) -> None:
    elsewhere = Settings(brokers=settings.brokers, topic_prefix="nowhere.", partitions=4)
    with pytest.raises(SettingsError, match="touchline topics"):
        publish([], elsewhere, policy)
    fewer = Settings(brokers=settings.brokers, topic_prefix=settings.topic_prefix, partitions=2)
    with pytest.raises(SettingsError, match="TOUCHLINE_PARTITIONS"):
        publish([], fewer, policy)


@on_kafka
def test_an_import_that_is_killed_goes_on_where_the_broker_had_acknowledged(
    settings: Settings, tmp_path: Path
) -> None:
    events = [to_json(touchpoint(f"e{number:05}")) for number in range(2500)]
    first = write(tmp_path / "first.jsonl", events[:100])
    packed = tmp_path / "second.jsonl.gz"
    packed.write_bytes(gzip.compress("".join(json.dumps(event) + "\n" for event in events[100:]).encode()))
    command = ["publish", first, str(packed), "--json"]
    killed = subprocess.Popen(
        [*TOUCHLINE, *command, "--rate", "1200"], cwd=tmp_path, stderr=subprocess.DEVNULL,
        env={**os.environ, **settings.to_env(), "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".touchline-publish-*.json")):
        assert killed.poll() is None
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.02)
    time.sleep(0.2)
    killed.kill()
    killed.wait()
    before = len(consumed(settings, 1))
    assert before < 2500

    done = run(settings, *command, "--resume", folder=tmp_path)
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["sent_before"] + summary["sent"]) == (0, 2500), done.stderr
    assert 0 < summary["sent_before"] <= before
    assert "sent again, and count once" in done.stderr
    arrived = [event["event_id"] for _, _, event in consumed(settings, 2500)]
    assert set(arrived) == {event["event_id"] for event in events}
    assert len(arrived) == before + summary["sent"]
    assert list(tmp_path.glob(".touchline-publish-*")) == []


#: The command with less patience than a person has.
IMPATIENT = """
import sys
from deploy.ingest import publisher
publisher.REQUEST_MS, publisher.DELIVERY_MS = 2000, 4000
from deploy.cli.main import run
run()
"""


def test_a_broker_that_dies_is_noticed_and_what_was_confirmed_is_said(tmp_path: Path) -> None:
    broker = TansuBroker(tmp_path)
    broker.start()
    try:
        settings = Settings(brokers=broker.address, partitions=2, pseudonym_key=SECRET)
        create_topics(settings)
        process = subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, "publish", "-"], cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **settings.to_env(), "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(lines(range(100)))
        process.stdin.flush()
        consumed(settings, 100)
    finally:
        broker.kill()
    _, remarks = process.communicate(lines(range(100, 200)), timeout=60)
    assert process.returncode == 1
    assert re.search(r"touchline: the broker at \S+ confirmed \d+ touchpoints, then failed", remarks)
    assert "Traceback" not in remarks


def lines(numbers: range) -> str:
    return "".join(json.dumps(to_json(touchpoint(str(number)))) + "\n" for number in numbers)
