"""What a schema change may do, by the Avro project's own checker."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.schemas import rollout
from schemas.encoding.compatibility import Mode, carriers, clashes, freeze, is_committed, mode_of, report
from schemas.encoding.registry import NAMES, committed, current, parts_of
from schemas.topics import ALL


def changed(name: str) -> dict[str, Any]:
    return deepcopy(current()[name])


def with_field(name: str, **field: Any) -> dict[str, Any]:
    schema = changed(name)
    schema["fields"].append({"name": "new", "type": "string", **field})
    return schema


def without(name: str, field: str) -> dict[str, Any]:
    schema = changed(name)
    schema["fields"] = [one for one in schema["fields"] if one["name"] != field]
    return schema


def problems(name: str, schema: dict[str, Any], released: dict[str, Any]) -> tuple[str, ...]:
    return report(name, schema, [released, schema]).problems


@pytest.mark.parametrize("name", NAMES)
def test_every_current_schema_is_committed_and_compatible_with_every_committed_version(name: str) -> None:
    assert report(name, current()[name], committed(name)).problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_some_topic_carries_every_record(name: str) -> None:
    assert carriers(name)


def test_the_values_of_public_topics_and_their_parts_are_checked_both_ways() -> None:
    public = {
        name for topic in ALL if topic.public for value in topic.values for name in (value, *parts_of(value))
    }
    assert {name for name in NAMES if mode_of(name) is Mode.FULL_TRANSITIVE} == public
    assert {"Touchpoint", "Identifier", "JourneySignal"} <= public


@pytest.mark.parametrize(
    "name",
    ["Move", "FrozenSummary", "FoldSummary", "PredictionModel", "SignalsPublished", "SignalsWrittenAhead"],
)
def test_what_only_touchline_reads_is_checked_for_its_next_release(name: str) -> None:
    assert mode_of(name) is Mode.BACKWARD


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Identifier", set()),
        ("Move", {"IdentityAssignment", "Identifier"}),
        ("FrozenSummary", {"Identifier", "FoldSummary"}),
        ("SignalsWrittenAhead", {"JourneySignal"}),
    ],
)
def test_a_part_of_a_record_is_a_field_s_type_or_stands_in_its_bytes(name: str, parts: set[str]) -> None:
    assert parts_of(name) == parts


@pytest.mark.parametrize("name", ["Touchpoint", "Move"])
def test_a_new_field_with_a_default_may_be_released(name: str) -> None:
    assert problems(name, with_field(name, default=""), changed(name)) == ()


@pytest.mark.parametrize("name", ["Touchpoint", "Move"])
def test_a_new_field_without_a_default_may_not(name: str) -> None:
    (problem,) = problems(name, with_field(name), changed(name))
    assert problem.startswith(f"{name}: the current schema cannot read version 1")
    assert "new" in problem


def test_a_field_without_a_default_may_go_from_a_private_record_only() -> None:
    assert problems("Move", without("Move", "profile_id"), changed("Move")) == ()
    (problem,) = problems("Touchpoint", without("Touchpoint", "source"), changed("Touchpoint"))
    assert problem.startswith("Touchpoint: version 1 cannot read the current schema")


def test_a_new_symbol_of_a_public_enum_may_not_be_released() -> None:
    schema = changed("JourneySignal")
    status = next(field for field in schema["fields"] if field["name"] == "status")
    status["type"]["symbols"].append("EXPIRED")
    assert problems("JourneySignal", schema, changed("JourneySignal"))


def test_a_changed_type_may_not_be_released() -> None:
    schema = changed("Move")
    schema["fields"][0]["type"] = "long"
    assert clashes(schema, changed("Move"))


def test_a_change_against_an_older_version_is_found_too() -> None:
    first, second = without("Touchpoint", "source"), current()["Touchpoint"]
    found = report("Touchpoint", second, [first, second]).problems
    assert any("version 1" in problem for problem in found)


def test_a_schema_that_is_not_committed_says_what_to_run() -> None:
    (problem,) = report("Move", with_field("Move", default=""), [changed("Move")]).problems
    assert "touchline schemas freeze" in problem
    assert "no committed version" in report("Move", changed("Move"), []).problems[0]


def test_documentation_may_change_without_a_version_and_a_default_may_not() -> None:
    schema = changed("Touchpoint")
    schema["doc"] = schema["fields"][0]["doc"] = "better words"
    assert is_committed(schema, [current()["Touchpoint"]])
    schema["fields"][0]["default"] = "default"
    assert not is_committed(schema, [current()["Touchpoint"]])


def test_freezing_writes_the_next_version_once(tmp_path: Path) -> None:
    first, second = changed("Move"), with_field("Move", default="")
    assert freeze("Move", first, [], tmp_path) == tmp_path / "Move" / "1.json"
    assert freeze("Move", first, [first], tmp_path) is None
    assert freeze("Move", second, [first], tmp_path) == tmp_path / "Move" / "2.json"


def test_readers_of_private_topics_are_upgraded_first() -> None:
    order = {topic: (first, then) for topic, first, then in rollout()}
    assert order["journey-inputs"] == ("journeys, loader", "stitch, identity, journeys")
    assert order["touchpoints"] == ("any order", "any order")
