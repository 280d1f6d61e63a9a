"""The rights that `touchline topics --acls` prints are those that schemas/topics.py asks for, and no others."""

import re

import pytest

from deploy.kafka_admin.acls import PROCESS_OF, PROCESSES, acls, commands
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import (
    ALL,
    CHANGELOGS,
    DEAD_LETTERS,
    LOADER_GROUP,
    TOUCHPOINTS,
    WEBHOOKS_CHANGELOG,
    WORKER_GROUP,
)

SETTINGS = Settings(topic_prefix="shop.")
FOUND = acls(SETTINGS)


def who(operation: str, name: str) -> set[str]:
    return {acl.process for acl in FOUND if (acl.operation, acl.name) == (operation, f"shop.{name}")}


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
def test_every_topic_has_its_writers_and_its_readers(topic) -> None:
    writers = {PROCESS_OF[one] for one in topic.written_by}
    readers = {PROCESS_OF[one] for one in topic.read_by}

    assert writers
    assert writers <= who("Write", topic.name) <= writers | {"operator"}
    assert readers
    assert readers <= who("Read", topic.name) <= readers | {"operator", "loader"}


@pytest.mark.parametrize(
    "topic", [one for one in ALL if one is not TOUCHPOINTS], ids=lambda topic: topic.name
)
def test_no_source_and_no_subscriber_writes_anything_but_touchpoints(topic) -> None:
    assert not who("Write", topic.name) & {"sources", "subscribers", "page"}


@pytest.mark.parametrize("topic", [one for one in ALL if one.compacted], ids=lambda topic: topic.name)
def test_what_is_kept_for_ever_only_workers_write_and_webhooks_their_outbox(topic) -> None:
    assert who("Write", topic.name) == {"webhooks" if topic is WEBHOOKS_CHANGELOG else "worker"}


def test_changelogs_are_the_worker_s_and_groups_their_members() -> None:
    for topic in CHANGELOGS:
        assert who("Read", topic.name) == {"worker", "operator"}
    assert who("Read", WORKER_GROUP) == {"worker", "operator"}
    assert who("Read", LOADER_GROUP) == {"loader", "operator"}
    assert who("Describe", WORKER_GROUP) == {"loader", "operator"}


def test_every_process_has_rights_and_every_role_of_a_topic_a_process() -> None:
    assert {acl.process for acl in FOUND} == set(PROCESSES)
    assert {one for topic in ALL for one in (*topic.written_by, *topic.read_by)} <= set(PROCESS_OF)
    assert {acl.name.removeprefix("shop.") for acl in FOUND if acl.kind == "topic"} == {
        one.name for one in ALL
    }


def test_each_right_is_one_command_for_kafka_s_own_tool() -> None:
    lines = list(commands(FOUND, "kafka:9092", {"worker": "User:CN=w"}))

    assert len(lines) == len(set(lines)) == len(FOUND)
    form = re.compile(
        r"kafka-acls --bootstrap-server kafka:9092 --add --allow-principal '(User:[\w=-]+)' --operation"
        r" (?:(?:Read|Write|Create|Describe|DescribeConfigs) --(?:topic|group) 'shop\.[\w.-]+'"
        r"(?: --resource-pattern-type prefixed)?|Describe --cluster)"
    )
    principals = {form.fullmatch(line)[1] for line in lines}  # type: ignore[index]
    assert principals == {"User:CN=w", *(f"User:touchline-{one}" for one in PROCESSES if one != "worker")}
    assert any(f"--topic 'shop.{DEAD_LETTERS.name}'" in line for line in lines)


def test_a_principal_for_no_process_is_refused() -> None:
    with pytest.raises(SettingsError, match="workers"):
        list(commands(FOUND, "kafka:9092", {"workers": "User:x"}))
