"""The SDK on real brokers: what `publish` accepted arrives, as `touchline publish` would have sent it."""

import base64
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.key_check import AnotherKeyError
from deploy.ingest.publisher import message
from deploy.kafka_admin.client import admin
from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import Broker, KafkaBroker, TansuBroker
from deploy.sdk import Delivered, Publisher, QueueFullError, Refused, Touchpoint
from deploy.simulation.population import Population, simulate
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import SettingsError, TouchlineError, UnavailableError
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.touchpoint.json_form import to_json
from streams.identity.policy.load import load
from tests.integration.test_publish import consumed
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

SECRET = "0123456789abcdef" * 4


def settings_of(broker: Broker) -> Settings:
    found = Settings(
        brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:8]}.", partitions=4, pseudonym_key=SECRET,
        idempotent_producer=int(broker.idempotent),
    )  # fmt: skip
    create_topics(found)
    return found


@pytest.fixture
def settings(tansu: TansuBroker) -> Settings:
    return settings_of(tansu)


@pytest.fixture
def nowhere() -> Settings:
    """No broker is there."""
    return Settings(brokers=f"127.0.0.1:{free_port()}", partitions=4, pseudonym_key=SECRET)


def event(event_id: str, cookie: str = "a", **fields: Any) -> Touchpoint:
    return Touchpoint(
        event_id=event_id, occurred_at=START, received_at=START, source="shop", channel="web", type="page_view",
        identifiers={"cookie": cookie, "email": "Ann@Example.org"}, **fields,
    )  # fmt: skip


def ids_of(settings: Settings, count: int) -> list[str]:
    return [record["event_id"] for _, _, record in consumed(settings, count)]


def test_key_partition_and_value_are_those_of_touchline_publish(broker: Broker, tmp_path: Path) -> None:
    settings = settings_of(broker)
    policy = load("", SECRET.encode(), "k1")
    events = list(simulate(Population(people=30, events=600, seed=1, tenant="acme")))
    told: list[Delivered] = []
    with Publisher(settings, spool=tmp_path / "spool", on_delivered=told.append) as publisher:
        for one in events:
            publisher.publish(to_json(one))
    assert publisher.pending == 0
    arrived = sorted((key, part, json.dumps(record)) for part, key, record in consumed(settings, 600))
    expected = [message(one, policy, CATALOGUE) for one in events]
    assert arrived == sorted(
        (key, partition_of(key, 4), json.dumps(TOUCHPOINT.decode(value))) for key, value in expected
    )
    assert "example.org" not in str(arrived)
    assert sorted(one.event_id for one in told) == sorted(one["event_id"] for one in events)
    assert list((tmp_path / "spool").rglob("*.log")) == []


#: Publishes the events 0, 1, 2, … of two keys, and says which were accepted.
ENDLESS = f"""
import itertools, sys
from deploy.sdk import Publisher
from schemas.settings import Settings
settings = Settings(brokers=sys.argv[1], topic_prefix=sys.argv[2], pseudonym_key={SECRET!r})
publisher = Publisher(settings, spool=sys.argv[3])
for number in itertools.count():
    publisher.publish({{
        "event_id": str(number), "occurred_at": {START}, "source": "shop", "channel": "web", "type": "page_view",
        "identifiers": {{"cookie": f"c{{number % 2}}"}},
    }})
    print(number, flush=True)
"""


@pytest.mark.soak
def test_nothing_that_publish_accepted_is_lost_when_the_process_is_killed(
    settings: Settings, nowhere: Settings, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, nowhere.brokers, settings.topic_prefix, str(spool)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdout is not None
    accepted = [int(process.stdout.readline()) for _ in range(300)]
    process.kill()
    output, _ = process.communicate()
    accepted += [int(line) for line in output.split()]
    with Publisher(settings, spool=spool) as publisher:
        publisher.publish(event("after", "c0"))
    arrived = consumed(settings, len(accepted) + 1)
    of_key = {key: [record["event_id"] for _, one, record in arrived if one == key] for _, key, _ in arrived}
    assert {len(numbers) >= 150 for key, numbers in of_key.items() if b"c" in key[-3:]} == {True}
    found = [[int(number) for number in numbers if number != "after"] for numbers in of_key.values()]
    assert sorted(number for numbers in found for number in numbers)[: len(accepted)] == accepted
    assert all(numbers == sorted(numbers) for numbers in found), "not in the order of acceptance"


def test_a_child_of_a_process_that_publishes_has_a_thread_and_a_spool_of_its_own(
    settings: Settings, tmp_path: Path
) -> None:
    with Publisher(settings, spool=tmp_path / "spool") as publisher:
        publisher.publish(event("parent 1"))
        publisher.flush()
        publisher.publish(event("parent 2"))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert publisher.pending == 0
                publisher.publish(event("child"))
                publisher.flush(20)
                publisher.close()
                code = 0
            finally:
                os._exit(code)
        publisher.publish(event("parent 3"))
        assert os.waitpid(child, 0)[1] == 0
    found = ids_of(settings, 4)
    assert sorted(found) == ["child", "parent 1", "parent 2", "parent 3"]


def test_another_pseudonymisation_key_delivers_nothing_and_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    with Publisher(settings) as publisher:
        publisher.publish(event("right"))
    other = replace(settings, pseudonym_key="another secret of thirty-two characters")
    publisher = Publisher(other, spool=tmp_path)
    publisher.publish(event("wrong"))
    with pytest.raises(AnotherKeyError, match="is not the key that this deployment knows as 'k1'"):
        publisher.flush()
    with pytest.raises(SettingsError):
        publisher.publish(event("wrong too"))
    publisher.close()
    with Publisher(settings, spool=tmp_path) as publisher:
        publisher.publish(event("right too"))
    assert ids_of(settings, 2) == ["right", "right too"]
    assert len(list((tmp_path / "refused").iterdir())) == 1


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.sdk.delivery.RETRY_SECONDS", 0.05)


def publish_all(publisher: Publisher, numbers: range) -> None:
    for number in numbers:
        publisher.publish(event(str(number)))


def test_while_kafka_is_away_publish_returns_at_once_until_the_queue_is_full(
    nowhere: Settings, hasty: None
) -> None:
    publisher = Publisher(nowhere, memory_bytes=5000)
    with pytest.raises(QueueFullError, match="the touchpoint was not accepted"):
        publish_all(publisher, range(100))
    with pytest.raises(UnavailableError, match="no Kafka broker answers at"):
        publisher.flush(0.2)
    assert publisher.problem is not None
    lost = publisher.pending
    with pytest.raises(UnavailableError, match=f"{lost} touchpoints? lost"):
        publisher.close(0.1)


def test_close_delivers_all_that_other_threads_could_publish(settings: Settings) -> None:
    told: list[Delivered] = []
    publisher = Publisher(settings, on_delivered=told.append)
    accepted: list[str] = []

    def publish(thread: int) -> None:
        for number in itertools.count():
            try:
                publisher.publish(event(f"{thread} {number}"))
            except TouchlineError:
                return
            accepted.append(f"{thread} {number}")
            time.sleep(0.002)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while not told:
        time.sleep(0.01)
    publisher.close(60)
    for thread in threads:
        thread.join()
    assert sorted(one.event_id for one in told) == sorted(accepted)


def fail_within(publisher: Publisher) -> None:
    with publisher:
        publisher.publish(event("1"))
        raise ZeroDivisionError


def test_a_program_that_fails_keeps_its_own_error(
    nowhere: Settings, hasty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(nowhere)
    monkeypatch.setattr(publisher, "close", lambda: Publisher.close(publisher, 0.1))
    with pytest.raises(ZeroDivisionError):
        fail_within(publisher)


def test_a_record_that_the_broker_never_takes_stops_no_other_and_no_callback_does(
    kafka: KafkaBroker, tmp_path: Path, hasty: None
) -> None:
    settings = Settings(
        brokers=kafka.address, topic_prefix=f"{uuid.uuid4().hex[:8]}.", partitions=1, pseudonym_key=SECRET
    )
    with admin(settings) as client:
        small = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "2000"}}
        client.create_topics({settings.topic("touchpoints"): small})
    create_topics(settings)
    refused: list[Refused] = []

    def fail(_: Delivered) -> None:
        raise ValueError

    with Publisher(settings, spool=tmp_path, on_delivered=fail, on_refused=refused.append) as publisher:
        publisher.publish(event("before"))
        publisher.publish(event("large", attributes={"noise": os.urandom(3000).hex()}))
        publisher.publish(event("after"))
    assert ids_of(settings, 2) == ["before", "after"]
    assert [(one.source, one.event_id) for one in refused] == [("shop", "large")]
    (line,) = (tmp_path / "refused" / "records.jsonl").read_text().splitlines()
    record = TOUCHPOINT.decode(base64.b64decode(json.loads(line)["value"]))
    assert record["event_id"] == "large"


def test_an_interpreter_that_ends_without_close_delivers_first(settings: Settings) -> None:
    script = ENDLESS.replace("itertools.count()", "range(5)").replace(", spool=sys.argv[3]", "")
    done = subprocess.run(
        [sys.executable, "-c", script, settings.brokers, settings.topic_prefix], capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(ids_of(settings, 5)) == ["0", "1", "2", "3", "4"]


@pytest.mark.clients
def test_ctrl_c_in_a_with_block_delivers_what_was_accepted(settings: Settings, tmp_path: Path) -> None:
    script = ENDLESS.replace("publisher = Publisher(", "with Publisher(").replace(
        "spool=sys.argv[3])", "spool=sys.argv[3]) as publisher:"
    )
    head, _, loop = script.partition("as publisher:\n")
    script = head + "as publisher:\n" + "".join(f"    {line}\n" for line in loop.splitlines())
    process = subprocess.Popen(
        [sys.executable, "-c", script, settings.brokers, settings.topic_prefix, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(50):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    accepted = 50 + len(output.split())
    assert len(set(ids_of(settings, accepted))) >= accepted
    assert list(tmp_path.rglob("*.log")) == []
