"""Plain Kafka and Avro clients, with docs/sdk.md and the .avsc alone: they publish in either framing, and read."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from deploy.sandbox import ClickHouseServer, KafkaBroker
from schemas.encoding.registry import HERE, current, fingerprint_of
from tests.integration.apicurio import Apicurio
from tests.integration.collecting import CLIENTS, java_client, node_clients, python_clients
from tests.integration.parts import TOUCHLINE, Deployment, deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka, pytest.mark.clients]

LANGUAGES = ["python", "java", "node"]
FRAMINGS = ["single", "confluent"]
COUNT = 400


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    server = Apicurio(tmp_path_factory.mktemp("apicurio"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def live(
    own_kafka: KafkaBroker,
    clickhouse: ClickHouseServer,
    registry: Apicurio,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("logs")
    with deployment(own_kafka, clickhouse, log_dir=folder, registry_url=registry.url) as running:
        done = register(running)
        assert done.returncode == 0, done.stderr
        python_clients("avro.txt"), node_clients(), java_client("avro_java")
        running.wait_idle()
        yield running


def register(live: Deployment, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*TOUCHLINE, "schemas", "register", "--json", *options], capture_output=True, text=True, timeout=60,
        env=live.env(),
    )  # fmt: skip


def start(live: Deployment, language: str, source: str, *arguments: str) -> "subprocess.Popen[str]":
    if language == "python":
        command = [str(python_clients("avro.txt") / "bin" / "python"), str(CLIENTS / "avro_python.py")]
    elif language == "node":
        command = ["node", str(node_clients() / "avro_node.mjs")]
    else:
        built = java_client("avro_java") / "target"
        command = ["java", "-cp", f"{built}/classes:{built}/dependency/*", "touchline.client.Main"]
    env = {
        **os.environ, "BROKERS": live.settings.brokers, "TOPIC_PREFIX": live.settings.topic_prefix, "SOURCE": source,
        "REGISTRY": live.settings.registry_url, "SCHEMAS": str(HERE),
        "FINGERPRINTS": json.dumps({name: fingerprint_of(schema).hex() for name, schema in current().items()}),
    }  # fmt: skip
    env.pop("PYTHONPATH", None)
    return subprocess.Popen(
        [*command, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(client: "subprocess.Popen[str]", timeout: float = 240) -> str:
    try:
        output, errors = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        client.kill()
        output, errors = client.communicate()
        pytest.fail(f"the client did not end in {timeout} s\n{output[-2000:]}{errors[-2000:]}")
    assert client.returncode == 0, f"{output[-2000:]}{errors[-2000:]}"
    return output


def arrived(live: Deployment, source: str) -> list[tuple[str, ...]]:
    return live.query(
        "SELECT event_id, type, profile_id, amount_minor, currency FROM touchpoints_current"
        f" WHERE source = '{source}' ORDER BY event_id"
    )


def test_a_real_registry_takes_every_public_schema_once(live: Deployment) -> None:
    again = register(live)
    assert (again.returncode, {json.loads(line)["action"] for line in again.stdout.splitlines()}) == (
        0,
        {"unchanged"},
    )
    for name in ("touchpoints", "journey-states"):
        with urllib.request.urlopen(
            f"{live.settings.registry_url}/config/{live.settings.topic(name)}-value"
        ) as answer:
            assert json.load(answer)["compatibilityLevel"] == "FULL_TRANSITIVE"


def test_a_real_registry_refuses_what_the_check_of_contracts_refuses(live: Deployment) -> None:
    subject = f"{live.settings.topic('touchpoints')}-value"
    broken = {
        **current()["Touchpoint"],
        "fields": [*current()["Touchpoint"]["fields"], {"name": "n", "type": "string"}],
    }
    body = json.dumps({"schema": json.dumps(broken)}).encode()
    url = f"{live.settings.registry_url}/subjects/{subject}/versions"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}))
    with refused.value:
        assert refused.value.code == 409


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry", "real"])
def test_a_subject_that_is_taken_is_one_sentence_and_exit_code_1(
    own_kafka: KafkaBroker, live: Deployment, dry_run: bool
) -> None:
    prefix = f"taken-{dry_run}."
    url = f"{live.settings.registry_url}/subjects/{prefix}touchpoints-value/versions"
    other = {
        "type": "record",
        "name": "Touchpoint",
        "namespace": "touchline",
        "fields": [{"name": "n", "type": "int"}],
    }
    body = json.dumps({"schema": json.dumps(other)}).encode()
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"})).close()
    mode = json.dumps({"compatibility": "FULL"}).encode()
    config = f"{live.settings.registry_url}/config/{prefix}touchpoints-value"
    urllib.request.urlopen(
        urllib.request.Request(config, mode, {"Content-Type": "application/json"}, method="PUT")
    ).close()
    done = subprocess.run(
        [*TOUCHLINE, "schemas", "register", "--json", *(["--dry-run"] if dry_run else [])],
        capture_output=True, text=True, timeout=60, env={**live.env(), "TOUCHLINE_TOPIC_PREFIX": prefix},
    )  # fmt: skip
    actions = {json.loads(line)["subject"]: json.loads(line)["action"] for line in done.stdout.splitlines()}
    assert done.returncode == 1
    assert actions.pop(f"{prefix}touchpoints-value") == "refused"
    assert set(actions.values()) == {"would be registered" if dry_run else "registered"}
    assert f"{prefix}touchpoints-value" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_story_of_a_client_is_one_persons_and_the_client_reads_what_became_of_it(
    live: Deployment, language: str, framing: str
) -> None:
    source = f"story-{language}-{framing}"
    began = time.monotonic()
    client = start(live, language, source, "story", framing)
    while not arrived(live, source):
        assert time.monotonic() - began < 120
        time.sleep(0.05)
    first = time.monotonic() - began
    finished(client)
    live.wait_idle()
    sys.stdout.write(f"{language} {framing}: the first event is a row after {first:.1f} s\n")

    rows = arrived(live, source)
    assert [(row[0], row[1]) for row in rows] == [
        ("1", "product_view"),
        ("2", "login"),
        ("3", "order_placed"),
    ]
    assert len({row[2] for row in rows}) == 1
    assert rows[2][3:] == (1999, "EUR")
    assert live.query("SELECT reason, error FROM dead_letters FINAL") == []

    states = [json.loads(line) for line in finished(start(live, language, source, "read")).splitlines()]
    expected = live.query("SELECT profile_id, version, touchpoints, orders, revenue FROM journeys")
    columns = ("profile_id", "version", "touchpoints", "orders", "revenue")
    assert sorted([tuple(state[name] for name in columns) for state in states], key=str) == sorted(
        expected, key=str
    )


@pytest.mark.parametrize(
    ("language", "framing"), [("python", "single"), ("java", "confluent"), ("node", "single")]
)
def test_a_broker_that_is_killed_and_a_client_that_runs_again_lose_and_double_nothing(
    live: Deployment, own_kafka: KafkaBroker, language: str, framing: str
) -> None:
    source = f"many-{language}-{framing}"
    client = start(live, language, source, "many", framing, str(COUNT))
    while not arrived(live, source):
        time.sleep(0.1)
    live.forget_broker()
    own_kafka.kill()
    own_kafka.start()
    finished(client)
    finished(start(live, language, source, "many", framing, str(COUNT)))
    live.start_what_died()
    live.wait_idle(240)

    rows = arrived(live, source)
    assert sorted(row[0] for row in rows) == sorted(f"many-{number}" for number in range(COUNT))
    assert len({row[2] for row in rows}) == 1
