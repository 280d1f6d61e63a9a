"""The Java and Node examples of docs/subscribers-kafka.md, as they stand there, and the SDK agree on a real topic."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka_admin.client import producer
from deploy.sandbox import KafkaBroker, kafka_jars
from deploy.sdk import JourneyStates
from schemas import topics
from schemas.encoding.registry import HERE
from schemas.keys import profile_key
from tests.integration.collecting import CLIENTS, install, node_clients
from tests.integration.written import Log

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka, pytest.mark.clients]

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "subscribers-kafka.md").read_text()
BLOCKS = dict(
    re.findall(
        r"^```(java|javascript)\n(.*?)^```",
        DOCUMENT,
        re.DOTALL | re.MULTILINE,
    )
)
#: Beyond what a double holds.
LARGE = (100 << 48) + 7


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if kafka_jars.missing_programs():
        pytest.skip("the Java example needs java and mvn on PATH")
    folder = tmp_path_factory.mktemp("java")
    shutil.copy(CLIENTS / "subscriber_java" / "pom.xml", folder)
    source = folder / "src" / "main" / "java" / "JourneyStates.java"
    source.parent.mkdir(parents=True)
    source.write_text(BLOCKS["java"])
    install(["mvn", "-q", "-B", "-f", str(folder / "pom.xml"), "package"])
    return ["java", "-cp", f"{folder}/target/classes:{folder}/target/dependency/*", "JourneyStates"]


@pytest.fixture(scope="module")
def node() -> list[str]:
    script = node_clients() / "journey_states.mjs"
    script.write_text(BLOCKS["javascript"])
    return ["node", str(script)]


@pytest.fixture
def log(kafka: KafkaBroker) -> Iterator[Log]:
    found = Log(kafka)
    yield found
    found.close()


def run(log: Log, command: list[str]) -> "subprocess.CompletedProcess[str]":
    env = {
        **os.environ, "BROKERS": log.settings.brokers, "TOPIC_PREFIX": log.settings.topic_prefix, "UNTIL_NOW": "1",
        "SCHEMAS": str(HERE), "ASYNCAPI": str(DOCS / "asyncapi.json"),
    }  # fmt: skip
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("language", ["java", "node"])
def test_highest_version_wins_tombstones_are_ends_and_no_version_loses_a_digit(
    log: Log, language: str, request: pytest.FixtureRequest
) -> None:
    command: list[str] = request.getfixturevalue(language)
    for profile, version in (("a", 5), ("a", 3), ("a", 5), ("b", 1), ("c", LARGE), ("c", LARGE - 1)):
        log.state(profile, version, stage="purchase")
    log.write(topics.JOURNEY_STATES, profile_key("default", "b"), None, 2)
    log.state("b", 1)
    log.state("a", 6, stage="service")

    done = run(log, command)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["id"] for one in told} == {
        "default/a:5", "default/a:6", "default/b:1", "default/b:2", f"default/c:{LARGE}",
    }  # fmt: skip
    # of a backlog the SDK may tell only what is newest, so their last words are compared
    newest = {one["id"].rpartition(":")[0]: (one["id"], one["erased"], one["stage"]) for one in told}
    beside: dict[str, tuple[str, bool, str]] = {}
    with JourneyStates(log.settings, group=f"beside-{language}") as states:
        while (change := states.take(60 if len(beside) < 3 else 1)) is not None:
            stage = "" if change.state is None else change.state["stage"]
            beside[f"default/{change.profile_id}"] = (change.id, change.erased, stage)
    assert beside == newest


@pytest.mark.parametrize("language", ["java", "node"])
def test_a_record_of_a_schema_that_is_not_known_stops_the_program(
    log: Log, language: str, request: pytest.FixtureRequest
) -> None:
    command: list[str] = request.getfixturevalue(language)
    client = producer(log.settings, "test")
    client.send(
        log.settings.topic("journey-states"), key=b"default/a", value=b"\xc3\x01newerone" + b"\0" * 20
    ).get(10)
    client.close()
    done = run(log, command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.search("unknown schema|MissingSchemaException", done.stderr)
