"""Exports by their shipped mappings, and change data whose reader is killed: each event once, of the right person."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from deploy.ingest.follow import Followed, Follower
from deploy.ingest.mapping.file import load_mapping, shipped
from deploy.ingest.publisher import publish
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.kafka_admin.client import group_consumer
from deploy.sandbox import KafkaBroker, Process
from schemas.errors import SettingsError
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from streams.identity.policy.load import load
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.support.exports import EXPORTS, sample

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka]

CUSTOMERS = "crm.public.customers"
MANY = 2000
BOB = ("bob@example.com", "C-200")


def golden(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (EXPORTS / f"{name}.golden.jsonl").read_text().splitlines()]


def owner(event: dict[str, Any]) -> str:
    values = {one["value"] for one in event["identifiers"]}
    if event["source"] == "plausible":
        return "an anonymous visitor"
    return "Bob" if values & set(BOB) else "Ann"


def publish_exports(live: Deployment) -> None:
    policy = load("", live.settings.pseudonym_key.encode(), "k1")
    for name in shipped():
        if name != "debezium-customers":
            sources = TouchpointFiles([str(sample(name))], load_mapping(name))
            done = publish((one.touchpoint for one in sources if one.touchpoint), live.settings, policy)
            assert (done.sent, done.rejected) == (len(golden(name)), {})


def create(live: Deployment, *topics: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=live.settings.brokers)
    admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 1} for topic in topics})
    admin.close()


def write(live: Deployment, topic: str, values: Iterable[bytes | None]) -> None:
    producer = KafkaProducer(bootstrap_servers=live.settings.brokers, acks="all", linger_ms=20)
    for number, value in enumerate(values):
        producer.send(topic, key=b'{"id":%d}' % number, value=value, headers=[("h", b"1")])
    producer.flush()
    producer.close()


def changes(name: str) -> list[bytes | None]:
    """A sample as Debezium would write it."""
    return [None if line == "null" else line.encode() for line in sample(name).read_text().splitlines()]


def customers_from(first: int, count: int) -> list[bytes]:
    change = json.loads(changes("debezium-customers")[1] or b"")
    values = []
    for number in range(first, first + count):
        change["after"] = {"id": f"X-{number}", "email": f"x{number}@example.org", "phone": None}
        change["source"]["lsn"] = 30_000_000 + number
        values.append(json.dumps(change).encode())
    return values


def published(live: Deployment) -> int:
    """How many records the touchpoints topic has."""
    look = live.look()
    assert look.backlogs is not None
    return next(
        one.end for group in look.backlogs.values() for one in group if one.topic.endswith(TOUCHPOINTS.name)
    )


def follower(live: Deployment, tmp_path: Path) -> Process:
    command = [*TOUCHLINE, "follow", CUSTOMERS, "--mapping", "debezium-customers"]
    return Process("follow", command, tmp_path / "follow.log", live.settings.to_env())


@pytest.mark.soak
def test_exports_and_change_data_arrive_once_and_belong_to_the_right_person(
    kafka: KafkaBroker, clickhouse, tmp_path: Path
) -> None:
    with deployment(kafka, clickhouse, log_dir=tmp_path) as live:
        create(live, CUSTOMERS)
        write(live, CUSTOMERS, [*changes("debezium-customers"), *customers_from(0, MANY // 2)])
        customers = follower(live, tmp_path)
        expected = {
            (event["source"], event["event_id"]): event for name in shipped() for event in golden(name)
        }
        try:
            customers.start()
            publish_exports(live)
            begun = len(expected) - len(golden("debezium-customers"))
            deadline = time.monotonic() + 90
            while published(live) < begun + MANY // 4:
                assert time.monotonic() < deadline, customers.log_tail(20)
                time.sleep(0.05)
            customers.kill()
            write(live, CUSTOMERS, [*customers_from(MANY // 2, MANY // 2), b'{"op": "c", broken \xff'])
            customers.start()
            rows: list[tuple[str, str, str]] = []
            while len(rows) < len(expected) + MANY:
                assert time.monotonic() < deadline, f"{len(rows)}\n{customers.log_tail(20)}"
                live.wait_idle()
                rows = live.query("SELECT source, event_id, profile_id FROM touchpoints_current")
            assert customers.stop() == 0
        finally:
            customers.stop()

        assert len({row[:2] for row in rows}) == len(rows) == len(expected) + MANY
        owners = {(source, event_id): profile for source, event_id, profile in rows}
        people = {(owner(event), owners[key]) for key, event in expected.items()}
        assert sorted(name for name, _ in people) == ["Ann", "Bob", "an anonymous visitor"]
        assert Counter(owners.values()).most_common(1)[0] == (
            dict(people)["Ann"], sum(owner(event) == "Ann" for event in expected.values()),
        )  # fmt: skip
        letters = live.query(
            "SELECT reason, component, topic, partition, key, value, headers FROM dead_letters FINAL"
        )
        place = partition_of(b'{"id":%d}' % (MANY // 2), 3)
        assert letters == [
            (
                "UNDECODABLE",
                "follow",
                CUSTOMERS,
                place,
                f'{{"id":{MANY // 2}}}',
                b'{"op": "c", broken \xff',
                [("h", "1")],
            )
        ]


@pytest.mark.soak
def test_records_are_committed_only_once_the_broker_has_their_touchpoints(
    kafka: KafkaBroker, clickhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Follower) -> None:
        raise CrashError

    topic = "crash.public.customers"
    with deployment(kafka, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live:
        create(live, topic)
        write(live, topic, customers_from(0, 20))
        policy = load("", live.settings.pseudonym_key.encode(), "k1")
        mapping = load_mapping("debezium-customers")
        for effect in ("_acknowledge", "_commit"):
            with (
                monkeypatch.context() as patch,
                Follower(live.settings, policy, [topic], mapping, "g") as dying,
            ):
                patch.setattr(Follower, effect, crash)
                with pytest.raises(CrashError):
                    read_all(dying, 20)
        with Follower(live.settings, policy, [topic], mapping, "g") as living:
            assert read_all(living, 20) == Followed(20, 20, 0, 0)
        group = group_consumer(live.settings, "g", max_poll_records=1)
        parts = [TopicPartition(topic, number) for number in group.partitions_for_topic(topic)]
        assert sum(group.committed(part) or 0 for part in parts) == 20
        group.close(autocommit=False)


class CrashError(Exception):
    """The process dies here."""


def read_all(follower: Follower, count: int) -> Followed:
    deadline = time.monotonic() + 30
    while follower.followed.read < count:
        assert time.monotonic() < deadline, follower.followed
        follower.step()
    return follower.followed


def test_a_topic_that_is_not_there_is_one_sentence(kafka: KafkaBroker) -> None:
    settings = Settings(brokers=kafka.address)
    with pytest.raises(SettingsError, match=r"topic no\.such\.table does not exist on .*: check its name"):
        Follower(
            settings,
            load("", b"0123456789abcdef" * 4, "k1"),
            ["no.such.table"],
            load_mapping("debezium-orders"),
            "g",
        )
