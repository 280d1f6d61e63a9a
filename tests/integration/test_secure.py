"""Kafka with SASL_SSL, mTLS and ACLs, and ClickHouse behind TLS: who may, does; who may not, is told why."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from deploy.kafka_admin.acls import PROCESSES, acls
from deploy.kafka_admin.client import admin, consumer, producer
from deploy.sandbox import ClickHouseServer, kafka_jars
from deploy.sdk import Publisher, Touchpoint
from schemas.errors import TouchlineError, UnavailableError
from schemas.settings import ClickHouse, Settings
from schemas.topics import ALL
from sinks.clickhouse.connection import connect
from tests.integration.secure import PASSWORDS, bank
from tests.support.certificates import Authority
from tests.support.secure_kafka import ADMIN, PASSWORD, SecureKafka
from tests.support.tls_proxy import TlsProxy

pytestmark = [pytest.mark.kafka, pytest.mark.soak]

ROOT = Path(__file__).parents[2]
RIGHTS = {
    "READ": "Read",
    "WRITE": "Write",
    "CREATE": "Create",
    "DESCRIBE": "Describe",
    "DESCRIBE_CONFIGS": "DescribeConfigs",
}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """One secured Kafka with a user for each process."""
    missing = kafka_jars.missing_programs()
    if missing:
        pytest.skip(f"Apache Kafka needs {' and '.join(missing)} on PATH")
    folder = tmp_path_factory.mktemp("secure")
    broker = SecureKafka(folder / "data", folder, PASSWORDS)
    broker.start()
    yield broker
    broker.stop()


def token() -> str:
    """An unsigned token for the administrator."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": ADMIN, "iat": now, "exp": now + 3600})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def ways(secure: SecureKafka, folder: Path) -> dict[str, Settings]:
    """Every way to log in, as a user who may see topics."""
    plain = secure.settings()
    (folder / "token").write_text(token())
    client = secure.authority.sign("operator-certificate", password="of the key")
    oauth = {"kafka_user": "", "kafka_password": "", "kafka_mechanism": "OAUTHBEARER"}
    return {
        "SCRAM-SHA-512": plain,
        "SCRAM-SHA-256": replace(plain, kafka_mechanism="SCRAM-SHA-256"),
        "PLAIN": replace(plain, kafka_mechanism="PLAIN"),
        "OAUTHBEARER, a file": replace(plain, **oauth, kafka_token=f"@{folder / 'token'}"),
        "OAUTHBEARER, a command": replace(plain, **oauth, kafka_token=f"!cat {folder / 'token'}"),
        "mTLS": secure.mtls_settings(client, kafka_key_password="of the key"),
    }


def test_every_way_to_log_in_carries_a_record_through_all_three_libraries(
    secure: SecureKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    with bank(secure, clickhouse, tmp_path) as running:
        created = running.run("operator", "topics")
        assert created.returncode == 0, created.stderr
        worker, loader = running.settings("worker"), running.settings("loader")
        assert running.run("operator", "migrate").returncode == 0
        for way, login in ways(secure, tmp_path).items():
            own = {
                name: getattr(login, name)
                for name in Settings.__dataclass_fields__
                if name.startswith("kafka_") or name == "brokers"
            }
            if way == "mTLS":
                granted = running.run(
                    "operator", "topics", "--acls", "--apply",
                    *(word for one in PROCESSES for word in ("--principal", f"{one}=User:CN=operator-certificate")),
                    kafka_user=ADMIN, kafka_password=PASSWORD,
                )  # fmt: skip
                assert granted.returncode == 0, granted.stderr
            # kafka-python
            with Publisher(replace(running.admin, **own)) as publisher:
                publisher.publish(
                    Touchpoint(
                        event_id=way, occurred_at="2026-01-01T12:00:00Z", source="shop", channel="web",
                        type="page_view", identifiers={"cookie": f"ck-{way}"},
                    )
                )  # fmt: skip
            # Faust and aiokafka in the worker, aiokafka in the loader
            parts = [running.start("worker", "worker", **own), running.start("loader", "load", **own)]
            running.wait(lambda way=way: _loaded(loader, way), f"load the record of {way}")  # type: ignore[misc]
            for part in parts:
                part.stop(timeout=15)
                running._started.remove(part)
        assert worker.kafka_security == "sasl_ssl"


def _loaded(settings: Settings, event_id: str) -> bool:
    client = connect(settings.clickhouse())
    try:
        return bool(
            client.execute(
                "SELECT count() FROM touchpoints_current WHERE event_id = %(id)s", {"id": event_id}
            )[0][0]
        )
    finally:
        client.disconnect()


def test_every_process_does_its_work_as_a_user_with_no_other_rights(
    secure: SecureKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    with bank(secure, clickhouse, tmp_path) as running:
        for command in (["topics"], ["migrate"]):
            done = running.run("operator", *command)
            assert done.returncode == 0, done.stderr
        worker = running.start("worker", "worker")
        loader = running.start("loader", "load")
        events = tmp_path / "events.jsonl"
        events.write_text(
            running.run("operator", "simulate", "--people", "20", "--events", "300", "--seed", "1").stdout
        )
        published = running.run("operator", "publish", str(events))
        assert published.returncode == 0, published.stderr
        with Publisher(running.settings("sources"), spool=tmp_path / "spool") as sdk:
            sdk.publish(
                Touchpoint(
                    event_id="sdk-1", occurred_at="2026-01-01T12:00:00Z", source="shop", channel="web",
                    type="page_view", identifiers={"cookie": "ck-sdk"},
                )
            )  # fmt: skip
        running.wait_idle(published=301)
        asked = running.run(
            "operator", "query", "SELECT uniqExact(event_id) AS events FROM touchpoints_current", "--json"
        )
        assert json.loads(asked.stdout)["events"] >= 290, asked.stderr
        status = running.run("operator", "status", "--check", "--json")
        assert status.returncode == 0, status.stderr
        assert worker.alive
        assert loader.alive

        refuses_what_is_not_its_own(running.admin, {one: running.settings(one) for one in PROCESSES})


def refuses_what_is_not_its_own(root: Settings, logins: dict[str, Settings]) -> None:
    """The broker's own answer for each process and topic, and real attempts."""
    wanted = acls(root)
    for process, login in logins.items():
        with admin(login) as client:
            known = _operations(client)
        for topic in ALL:
            name = root.topic(topic.name)
            granted = {
                acl.operation
                for acl in wanted
                if (acl.process, acl.kind, acl.name) == (process, "topic", name)
            }
            implied = {"Describe"} if granted & {"Read", "Write"} else set()
            assert known.get(name, set()) == granted | implied, (process, name)
    foreign = {
        "sources": "identity-links", "collector": "journey-states", "page": "dead-letters",
        "loader": "journey-states", "follow": "identity-links", "subscribers": "journey-signals",
    }  # fmt: skip
    for process, topic in foreign.items():
        writer = producer(logins[process], "trial", max_block_ms=5000)
        with pytest.raises(KafkaError):
            writer.send(root.topic(topic), key=b"k", value=b"forged", partition=0).get(10)
        writer.close(timeout=1)
    for process in ("sources", "subscribers", "page", "collector"):
        reader = consumer(logins[process])
        reader.assign([TopicPartition(root.topic("touchline-worker-journeys-changelog"), 0)])
        with pytest.raises(TopicAuthorizationFailedError):
            poll(reader)
        reader.close()


def poll(reader: Any) -> None:
    """Read for some seconds; a refusal raises."""
    for _ in range(20):
        reader.poll(timeout_ms=500)


def _operations(client: KafkaAdminClient) -> dict[str, set[str]]:
    """Topic → what the broker says that this user may do with it."""
    described = client.describe_topics()
    return {
        one["name"]: {RIGHTS[word] for word in one["authorized_operations"] if word in RIGHTS}
        for one in described
    }


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kafka_password": "not the password"}, "authentication"),
        ({"kafka_mechanism": "PLAIN", "kafka_password": "wrong"}, "authentication"),
        ({"kafka_ca": ""}, "certificate"),
        ({"kafka_security": "sasl_plaintext", "kafka_ca": "", "kafka_plaintext": "allow"}, ""),
    ],
)
def test_who_cannot_log_in_is_told_in_one_sentence(
    secure: SecureKafka, wrong: dict[str, str], why: str
) -> None:
    with pytest.raises(UnavailableError) as refused, admin(replace(secure.settings(), **wrong)) as client:
        client.list_topics()
    assert why in str(refused.value).lower()
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_broker_whose_certificate_is_another_s_is_not_trusted(secure: SecureKafka) -> None:
    by_name = secure.settings(brokers=secure.address.replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(TouchlineError), admin(by_name) as client:
        client.list_topics()


def test_clickhouse_is_trusted_by_its_authority_alone(clickhouse: ClickHouseServer, tmp_path: Path) -> None:
    mine, other = Authority(tmp_path / "mine"), Authority(tmp_path / "other")
    with TlsProxy(clickhouse.port, mine.sign("clickhouse")) as proxy:
        url = f"clickhouses://127.0.0.1:{proxy.port}/default?ca="
        client = connect(ClickHouse.from_url(f"{url}{mine.ca}"), use=False)
        assert client.execute("SELECT 1") == [(1,)]
        client.disconnect()
        for authority in (f"?ca={other.ca}", ""):
            with pytest.raises(UnavailableError, match="cannot be trusted"):
                connect(ClickHouse.from_url(url.removesuffix("?ca=") + authority), use=False)
    with TlsProxy(clickhouse.port, mine.sign("elsewhere", "DNS:elsewhere")) as proxy:
        url = f"clickhouses://127.0.0.1:{proxy.port}/default?ca={mine.ca}"
        with pytest.raises(UnavailableError, match=r"cannot be trusted .*match"):
            connect(ClickHouse.from_url(url), use=False)
    with pytest.raises(UnavailableError, match="cannot be trusted"):
        connect(ClickHouse.from_url(f"clickhouses://127.0.0.1:{clickhouse.port}/default"), use=False)
