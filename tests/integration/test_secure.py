"""Kafka with SASL_SSL, mTLS and ACLs, and ClickHouse behind TLS: who may, does; who may not, is told why."""

import base64
import gc
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from deploy.kafka_admin.acls import PROCESSES, acls
from deploy.kafka_admin.client import admin, consumer, producer
from deploy.ports import LOOPBACK, free_port, listens
from deploy.sandbox import ClickHouseServer
from deploy.sdk import Publisher, Touchpoint
from schemas.errors import TouchlineError, UnavailableError
from schemas.http.hashed_keys import hash_of
from schemas.kafka_probe import why_unreachable
from schemas.settings import ClickHouse, Settings
from schemas.topics import ALL, JOURNEYS_CHANGELOG
from sinks.clickhouse.connection import connect
from tests.integration.parts import skip_without_kafka
from tests.integration.secure import KEY, PASSWORDS, Bank, bank
from tests.support.certificates import Authority
from tests.support.exports import sample
from tests.support.secure_kafka import ADMIN, PASSWORD, SecureKafka
from tests.support.tls_proxy import TlsProxy
from tests.support.token_server import as_json, token_server

pytestmark = [
    pytest.mark.kafka, pytest.mark.soak,
    # kafka-python leaves a socket behind when a TLS handshake fails
    pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket"),
]  # fmt: skip

ROOT = Path(__file__).parents[2]
RIGHTS = {
    "READ": "Read",
    "WRITE": "Write",
    "CREATE": "Create",
    "DESCRIBE": "Describe",
    "DESCRIBE_CONFIGS": "DescribeConfigs",
}


OAUTH = {"kafka_user": "", "kafka_password": "", "kafka_mechanism": "OAUTHBEARER"}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """One secured Kafka with a user for each process."""
    skip_without_kafka()
    folder = tmp_path_factory.mktemp("secure")
    broker = SecureKafka(folder / "data", folder, PASSWORDS)
    broker.start()
    yield broker
    broker.stop()
    gc.collect()  # while this module's filter of warnings holds


def token() -> str:
    """An unsigned token for the administrator."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": ADMIN, "iat": now, "exp": now + 3600})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        + "."
    )


def ways(secure: SecureKafka, folder: Path, endpoint: str) -> dict[str, Settings]:
    """Every way to log in, as a user who may see topics."""
    plain = secure.settings()
    (folder / "token").write_text(token())
    client = secure.authority.sign("operator-certificate", password="of the key")
    return {
        "SCRAM-SHA-512": plain,
        "SCRAM-SHA-256": replace(plain, kafka_mechanism="SCRAM-SHA-256"),
        "PLAIN": replace(plain, kafka_mechanism="PLAIN"),
        "OAUTHBEARER, a file": replace(plain, **OAUTH, kafka_token=f"@{folder / 'token'}"),
        "OAUTHBEARER, a command": replace(plain, **OAUTH, kafka_token=f"!cat {folder / 'token'}"),
        "OAUTHBEARER, a token endpoint": replace(
            plain,
            kafka_mechanism="OAUTHBEARER",
            kafka_token=endpoint,
            kafka_user="touchline",
            kafka_password="of the client",
        ),
        "mTLS": secure.mtls_settings(client, kafka_key_password="of the key"),
    }


def test_every_way_to_log_in_carries_a_record_through_all_three_libraries(
    secure: SecureKafka, clickhouse: ClickHouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SSL_CERT_FILE", str(secure.authority.ca)
    )  # whom every process trusts for the endpoint
    endpoint = token_server(
        secure.authority.sign("idp"), "touchline", "of the client",
        lambda: as_json({"access_token": token(), "expires_in": 3600}),
    )  # fmt: skip
    with endpoint as idp, bank(secure, clickhouse, tmp_path) as running:
        created = running.run("operator", "topics")
        assert created.returncode == 0, created.stderr
        worker, loader = running.settings("worker"), running.settings("loader")
        assert running.run("operator", "migrate").returncode == 0
        for way, login in ways(secure, tmp_path, idp.url).items():
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
            running.stop(*parts)
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
        over_http(running, tmp_path)
        from_another_topic(running)
        page_port = free_port()
        running.start("page", "page", "--port", str(page_port))
        running.wait(lambda: listens(LOOPBACK, page_port), "listen")
        running.wait_idle(published=303)
        asked = running.run(
            "operator", "query", "SELECT uniqExact(event_id) AS events FROM touchpoints_current", "--json"
        )
        assert json.loads(asked.stdout)["events"] >= 290, asked.stderr
        status = running.run("operator", "status", "--check", "--json")
        assert status.returncode == 0, status.stderr
        assert worker.alive
        assert loader.alive
        running.wait(lambda: hears_from_kafka(page_port), "hear from Kafka")
        examined = running.run("operator", "doctor", "--json")
        faults = [one for one in json.loads(examined.stdout)["checks"] if one["state"] == "fault"]
        assert (examined.returncode, faults) == (0, []), examined.stderr
        forgotten = running.run("operator", "forget", "cookie:ck-sdk")
        assert forgotten.returncode == 0, forgotten.stderr

        logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
        assert "worker" in logs
        for secret in (*PASSWORDS.values(), KEY, "example.org", "ck-sdk", "C-http"):
            assert secret not in logs, "no log holds a secret or a person"

        refuses_what_is_not_its_own(running.admin, {one: running.settings(one) for one in PROCESSES})


def hears_from_kafka(port: int) -> bool:
    """Whether the live page's readiness says so."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/ready", timeout=10) as answer:
        return bool(json.load(answer)["kafka"])


def over_http(running: Bank, folder: Path) -> None:
    """One touchpoint through the collector."""
    keys, port = folder / "keys.toml", free_port()
    keys.write_text(f'[keys.shop]\nsha256 = "{hash_of("key-shop")}"\n')
    running.start("collector", "collect", "--port", str(port), collector_keys=str(keys))
    running.wait(lambda: listens(LOOPBACK, port), "listen")
    body = {"event": "Product Viewed", "messageId": "http-1", "userId": "C-http"}
    login = base64.b64encode(b"key-shop:").decode()
    request = urllib.request.Request(
        f"http://{LOOPBACK}:{port}/v1/track", json.dumps(body).encode(), {"Authorization": f"Basic {login}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def from_another_topic(running: Bank) -> None:
    """One change of a table through `follow`, which is granted its source besides."""
    topic = running.admin.topic("crm.customers")
    pattern = ResourcePattern(ResourceType.TOPIC, topic)
    may_read = ACL("User:touchline-follow", "*", ACLOperation.READ, ACLPermissionType.ALLOW, pattern)
    with admin(running.admin) as client:
        client.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        assert client.create_acls([may_read])["failed"] == []
    writer = producer(running.admin, "test")
    change = next(line for line in sample("debezium-customers").read_text().splitlines() if line != "null")
    writer.send(topic, key=b"1", value=change.encode(), partition=0).get(10)
    writer.close()
    running.start("follow", "follow", topic, "--mapping", "debezium-customers")


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
    changelog = TopicPartition(root.topic(JOURNEYS_CHANGELOG.name), 0)
    assert read(root, changelog) > 0
    for process in ("sources", "subscribers", "page", "collector", "follow"):
        assert read(logins[process], changelog) == 0


def read(settings: Settings, part: TopicPartition) -> int:
    """Records that a user gets of a partition."""
    reader = consumer(settings, auto_offset_reset="earliest")
    reader.assign([part])
    deadline, count = time.monotonic() + 5, 0
    while not count and time.monotonic() < deadline:
        try:
            count += sum(map(len, reader.poll(timeout_ms=500).values()))
        except TopicAuthorizationFailedError:
            break
    reader.close()
    return count


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
        ({"kafka_password": "not the password"}, "it refuses user 'admin' (Authentication failed"),
        (
            {"kafka_mechanism": "PLAIN", "kafka_password": "wrong"},
            "it refuses user 'admin' (Authentication failed",
        ),
        ({"kafka_ca": ""}, "its certificate is not trusted ("),
        (
            {"kafka_security": "sasl_plaintext", "kafka_ca": "", "kafka_plaintext": "allow"},
            "it does not take plaintext here",
        ),
        ({"kafka_security": "ssl", "kafka_user": "", "kafka_password": ""}, "it wants a login"),
        (OAUTH | {"kafka_token": "!printf not.a.token"}, "it refuses the token ("),
        (OAUTH | {"kafka_token": "!false"}, "the command of TOUCHLINE_KAFKA_TOKEN ended with 1"),
    ],
)
def test_who_cannot_log_in_is_told_in_one_sentence(
    secure: SecureKafka, wrong: dict[str, str], why: str
) -> None:
    with pytest.raises(UnavailableError) as refused, admin(replace(secure.settings(), **wrong)) as client:
        client.list_topics()
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_client_without_a_certificate_is_told_that_it_needs_one(secure: SecureKafka) -> None:
    bare = replace(
        secure.mtls_settings(secure.authority.sign("somebody")), kafka_certificate="", kafka_key="",
    )  # fmt: skip
    assert "does not take this client's certificate" in why_unreachable(bare)
    foreign = Authority(secure.data_dir.parent / "foreign").sign("somebody")
    assert "does not take this client's certificate" in why_unreachable(secure.mtls_settings(foreign))
    wrong_port = secure.settings(brokers=f"127.0.0.1:{secure.mtls_port}")
    assert why_unreachable(wrong_port)
    assert why_unreachable(secure.settings()) == ""


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
