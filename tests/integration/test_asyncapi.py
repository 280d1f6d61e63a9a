"""The AsyncAPI project's own parser takes the committed document, and refuses broken ones."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.collecting import node_clients

pytestmark = pytest.mark.clients

DOCUMENT = Path(__file__).parents[2] / "docs" / "asyncapi.json"
ERROR = 0  #: the parser's severity of what makes a document invalid


def checked(path: Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        ["node", str(node_clients() / "asyncapi_check.mjs"), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_the_official_parser_takes_the_committed_document() -> None:
    code, lines = checked(DOCUMENT)
    assert code == 0, lines
    assert [line for line in lines if "severity" in line and line["code"] != "asyncapi-latest-version"] == []
    assert {line["address"] for line in lines if "address" in line} >= {"journey-states", "touchpoints"}


def lose_a_message(document: dict[str, Any]) -> None:
    del document["components"]["messages"]["JourneyState"]


def break_a_schema(document: dict[str, Any]) -> None:
    document["components"]["messages"]["JourneyState"]["payload"]["schema"]["fields"] = "none"


def forget_the_action(document: dict[str, Any]) -> None:
    del document["operations"]["sendJourneyStates"]["action"]


@pytest.mark.parametrize("damage", [lose_a_message, break_a_schema, forget_the_action])
def test_the_official_parser_refuses_a_damaged_document(
    damage: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    document = json.loads(DOCUMENT.read_text())
    damage(document)
    (tmp_path / "damaged.json").write_text(json.dumps(document))
    code, lines = checked(tmp_path / "damaged.json")
    assert (code, ERROR in {line.get("severity") for line in lines}) == (1, True), lines
