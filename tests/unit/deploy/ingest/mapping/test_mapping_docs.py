"""Every example of docs/mappings.md becomes what stands there; every key stands there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.mapping import tables as mapping_tables
from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.mapping.tables import MAPPABLE
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.touchpoint.json_form import to_json

PAGE = (Path(__file__).parents[5] / "docs" / "mappings.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```toml\n(.*?)^```\n```(csv|jsonl)\n(.*?)^```\n```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE
)


def values(text: str) -> list[dict[str, Any]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


@pytest.mark.parametrize(("mapping", "form", "rows", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_becomes_what_stands_beside_it(
    tmp_path: Path, mapping: str, form: str, rows: str, expected: str
) -> None:
    file = tmp_path / f"rows.{form}"
    file.write_text(rows, encoding="utf-8")
    sources = TouchpointFiles([str(file)], parse_mapping(mapping, "docs/mappings.md"))
    found = []
    for sourced in sources:
        assert sourced.touchpoint is not None, sourced.entry.error
        found.append(to_json(sourced.touchpoint))
    wanted = values(expected)
    assert sources.unseen() == []
    assert [
        {name: one.get(name) for name in all_of} for one, all_of in zip(found, wanted, strict=True)
    ] == wanted


def test_every_block_of_toml_is_an_example() -> None:
    assert PAGE.count("```toml") == len(EXAMPLES) == 9


@pytest.mark.parametrize("name", [*mapping_tables.KEYS, *MAPPABLE])
def test_every_key_and_field_is_documented(name: str) -> None:
    table = PAGE[PAGE.index("## Keys") : PAGE.index("## Times")]
    assert re.search(rf"`[^`]*\b{name}\b[^`]*`", table), name
