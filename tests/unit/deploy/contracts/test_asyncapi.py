"""The committed AsyncAPI document, its page and the promise say what topics and schemas say."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import build
from deploy.contracts.asyncapi import document, public_topics, retention, text
from deploy.contracts.page import fields, page, type_of
from schemas.encoding.codec import encode, header
from schemas.encoding.compatibility import mode_of
from schemas.encoding.registry import committed, current
from schemas.settings import Settings
from schemas.topics import ALL, DAY_MS, Topic
from tests.support.examples import example

ROOT = Path(__file__).parents[4]
COMMITTED = json.loads((ROOT / "docs" / "asyncapi.json").read_text())
PROMISE = (ROOT / "docs" / "compatibility.md").read_text()
AGAIN = "run `touchline schemas asyncapi --out docs/asyncapi.json --html docs/asyncapi.html` without settings"


def test_the_committed_document_and_its_page_are_those_of_default_settings() -> None:
    assert (ROOT / "docs" / "asyncapi.json").read_text() == text(Settings()), AGAIN
    assert (ROOT / "docs" / "asyncapi.html").read_text() == page(document(Settings())), AGAIN


def test_it_has_every_public_topic_and_no_other() -> None:
    addresses = {channel["address"] for channel in COMMITTED["channels"].values()}
    assert addresses == {topic.name for topic in ALL if topic.public}


@pytest.mark.parametrize("topic", public_topics(), ids=lambda topic: topic.name)
def test_a_topic_has_its_record_its_tombstone_and_its_retention(topic: Topic) -> None:
    channel = next(one for one in COMMITTED["channels"].values() if one["address"] == topic.name)
    (record,) = topic.values
    assert set(channel["messages"]) == ({record, f"{record}Tombstone"} if topic.compacted else {record})
    assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [
        topic.config()["cleanup.policy"]
    ]
    assert retention(topic) in channel["description"]
    message = COMMITTED["components"]["messages"][record]
    assert message["payload"]["schema"] == current()[record]
    assert len(message["x-avro-fingerprints"]) == len(committed(record))


@pytest.mark.parametrize("topic", public_topics(), ids=lambda topic: topic.name)
def test_the_first_bytes_of_a_record_are_those_that_the_document_names(topic: Topic) -> None:
    (record,) = topic.values
    marks = COMMITTED["components"]["messages"][record]["x-avro-fingerprints"]
    value = encode(record, example(record))
    assert value[:10].hex() in {f"c301{mark}" for mark in marks.values()}
    assert value.startswith(header(record))


def test_touchline_receives_touchpoints_and_sends_everything_else() -> None:
    receives = [name for name, one in COMMITTED["operations"].items() if one["action"] == "receive"]
    assert receives == ["receiveTouchpoints"]
    assert len(COMMITTED["operations"]) == len(COMMITTED["channels"])


def test_the_document_of_a_deployment_has_its_prefix_brokers_and_partitions() -> None:
    found = document(Settings(topic_prefix="eu.", brokers="k1:9092, k2:9092", partitions=24, replication=3))
    assert {one["host"] for one in found["servers"].values()} == {"k1:9092", "k2:9092"}
    states = found["channels"]["journeyStates"]
    assert states["address"] == states["bindings"]["kafka"]["topic"] == "eu.journey-states"
    assert (states["bindings"]["kafka"]["partitions"], states["bindings"]["kafka"]["replicas"]) == (24, 3)


def test_the_page_shows_every_field_of_every_record_and_asks_nobody_else_for_anything() -> None:
    shown = (ROOT / "docs" / "asyncapi.html").read_text()
    for topic in public_topics():
        for field in fields(current()[topic.values[0]]):
            assert f"<code>{field.name}</code>" in shown, field.name
    assert "JourneyStateTombstone" in shown
    assert not re.search(r"<script|https?://|src=|@import", shown)


def test_types_are_said_in_words() -> None:
    of = {field.name: field.type for field in fields(current()["JourneyState"])}
    assert of["identifiers"] == "list of Identifier"
    assert of["first_seen"] == "UTC ms"
    assert of["revenue"] == "map of long"
    assert of["expectations.status"] == "OPEN | MISSED | MET"
    assert type_of(["null", "double"]) == "null or double"


def test_the_command_writes_both_or_prints_the_json(tmp_path: Path) -> None:
    run = CliRunner()
    printed = run.invoke(build(), ["schemas", "asyncapi"])
    assert json.loads(printed.stdout)["asyncapi"] == "3.0.0"
    json_file, html = tmp_path / "a.json", tmp_path / "a.html"
    done = run.invoke(build(), ["schemas", "asyncapi", "--out", str(json_file), "--html", str(html)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(json_file.read_text()) == json.loads(printed.stdout)
    assert html.read_text().startswith("<!doctype html>")


def test_the_promise_has_a_row_for_every_public_topic_with_its_mode_and_retention() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (\w+) \| (.*) \|$", PROMISE, re.MULTILINE)
    expected = [
        (
            topic.name,
            topic.values[0],
            mode_of(topic.values[0]).value,
            "until a newer one of its key"
            if topic.retention_ms is None
            else f"{topic.retention_ms // DAY_MS} days",
        )
        for topic in public_topics()
    ]
    assert rows == expected


def test_what_the_promise_forbids_the_check_of_contracts_refuses() -> None:
    from schemas.encoding.compatibility import report

    state = current()["JourneySignal"]
    named = {field["name"]: field for field in state["fields"]}

    def refused(*changed: dict) -> bool:
        return bool(report("JourneySignal", {**state, "fields": list(changed)}, [state]).problems[1:])

    renamed = {**named["kind"], "name": "sort"}
    other_type = {**named["version"], "type": "string"}
    status = named["status"]
    wider = {**status, "type": {**status["type"], "symbols": ["RAISED", "RETRACTED", "PAUSED"]}}
    for name, changed in (("kind", renamed), ("version", other_type), ("status", wider)):
        assert refused(*[changed if one["name"] == name else one for one in state["fields"]]), name
    assert refused(*[one for one in state["fields"] if one["name"] != "rule"]), "a field without a default"
    added = {"name": "new", "type": ["null", "string"], "default": None}
    assert not refused(*state["fields"], added)
