"""`touchline tail` on a broker: what is there, what comes, of whom, and a clean end."""

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import TansuBroker
from schemas import topics
from schemas.encoding.codec import encode
from schemas.headers import VERSION
from schemas.keys import identifier_key, profile_key
from schemas.profile_ids import own_profile
from schemas.settings import Settings
from schemas.topics import Topic
from streams.identity.policy.load import load
from tests.integration.parts import TOUCHLINE
from tests.support.examples import example

pytestmark = pytest.mark.sandbox

SECRET = "0123456789abcdef" * 4
EMAIL = "Ann@Example.org"


class Log:
    """The topics of a deployment that has no worker: the test writes them."""

    def __init__(self, broker: TansuBroker) -> None:
        self.settings = Settings(
            brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:8]}.", partitions=2, pseudonym_key=SECRET,
            idempotent_producer=int(broker.idempotent),
        )  # fmt: skip
        create_topics(self.settings)
        self._producer = KafkaProducer(bootstrap_servers=broker.address, enable_idempotence=False)

    def write(self, topic: Topic, key: bytes, value: bytes | None, version: int = 0) -> None:
        headers = [(VERSION, str(version).encode())] if value is None else []
        self._producer.send(self.settings.topic(topic.name), key=key, value=value, headers=headers).get(10)

    def state(self, profile: str, version: int, **fields: Any) -> None:
        record = example("JourneyState") | {"profile_id": profile, "version": version, **fields}
        self.write(topics.JOURNEY_STATES, profile_key("default", profile), encode("JourneyState", record))

    def own(self, identifier: dict[str, str], profile: str, version: int) -> None:
        record = example("IdentityAssignment") | {
            "tenant": "default", "identifier": identifier, "profile_id": profile, "version": version,
            "contested_from": None, "contested_profile_id": None,
        }  # fmt: skip
        key = identifier_key("default", identifier)  # type: ignore[arg-type]
        self.write(topics.IDENTITY_ASSIGNMENTS, key, encode("IdentityAssignment", record))

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def log(tansu: TansuBroker) -> Iterator[Log]:
    found = Log(tansu)
    yield found
    found.close()


def start(log: Log, *arguments: str, **env: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TOUCHLINE, "tail", *arguments], env={**os.environ, **log.settings.to_env(), **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def printed(log: Log, *arguments: str, **env: str) -> list[str]:
    output, errors = (process := start(log, *arguments, **env)).communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return output.splitlines()


def test_it_shows_what_is_there_since_a_time_and_by_a_condition_in_lines_or_as_json(
    log: Log, tmp_path: Path
) -> None:
    log.state("calm", 1, friction=0.0)
    log.state("angry", 2, friction=9.0)
    time.sleep(1.1)
    between = time.time()
    log.write(topics.JOURNEY_STATES, profile_key("default", "angry"), None, 3)

    lines = [json.loads(one) for one in printed(log, "states", "--from-start", "--until-now", "--json")]
    assert [(one["profile_id"], one["version"], one["gone"]) for one in lines] == [
        ("calm", 1, False),
        ("angry", 2, False),
        ("angry", 3, True),
    ]
    found = printed(log, "states", "--from-start", "--until-now", "--where", "friction > 5", COLUMNS="80")
    assert len(found) == 1
    assert "angry" in found[0]
    assert len(found[0]) <= 80
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(between))
    (gone,) = printed(log, "states", "--since", since, "--until-now", "--profile", "angry")
    assert "gone" in gone


def test_a_person_named_by_a_raw_address_is_followed_through_a_merge_until_ctrl_c(log: Log) -> None:
    policy = load("", SECRET.encode(), "k1")
    (stored,) = policy.usable([{"type": "email", "value": EMAIL}])
    assert EMAIL.lower() not in stored["value"]
    own = own_profile("default", (stored["type"], stored["value"]))
    log.state(own, 1)
    process = start(log, "states", "--identifier", f"email:{EMAIL}", "--from-start", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["profile_id"] == own

    log.own(dict(stored), "survivor", 2)
    time.sleep(2)  # the assignment comes before the states that follow from it, as identity writes it
    log.state("survivor", 3, identifiers=[])
    log.state("stranger", 4, identifiers=[])
    log.write(topics.JOURNEY_STATES, profile_key("default", own), None, 5)
    told = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert {(one["profile_id"], one["gone"]) for one in told} == {("survivor", False), (own, True)}

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (130, "", "")


def test_slips_are_one_sentence(log: Log) -> None:
    for arguments, said in (
        (("state",), "name one of states, signals, changes, accounts"),
        (("states", "--where", "friktion > 5"), "did you mean friction?"),
        (("states", "--since", "1h", "--from-start"), "give one"),
        (("states", "--identifier", "ann"), "write TYPE:VALUE"),
        (("accounts", "--identifier", "email:a@b.de"), "that is for states and signals and changes"),
    ):
        process = start(log, *arguments)
        output, errors = process.communicate(timeout=60)
        assert (process.returncode, output, errors.count("\n")) == (1, "", 1), errors
        assert said in errors
