"""The sources of the documentation site: links that work there, every page in the navigation, a generated reference."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from deploy.cli.main import COMMANDS
from deploy.site.assemble import OTHERS, ROOT, SECTIONS, navigation, within_site
from deploy.site.reference import commands, schemas, settings, topics, views
from schemas.settings import Settings
from schemas.topics import ALL
from sinks.clickhouse.read.questions import questions

DOCS = ROOT / "docs"


@pytest.mark.parametrize(
    ("link", "at", "shown"),
    [
        ("[Limits](limits.md#what)", DOCS, "[Limits](limits.md#what)"),
        ("[`intake.py`](../schemas/touchpoint/intake.py)", DOCS, "`intake.py`"),
        ("[how](../CONTRIBUTING.md)", DOCS, "[how](contributing.md)"),
        ("[docs/limits.md](docs/limits.md)", ROOT, "[docs/limits.md](limits.md)"),
        ("[licence](LICENSE)", ROOT, "licence"),
        ("[a](https://example.org/x)", ROOT, "[a](https://example.org/x)"),
        ("[b](#here)", DOCS, "[b](#here)"),
        ("![picture](docs/images/page-person.png)", ROOT, "![picture](images/page-person.png)"),
    ],
)
def test_a_link_leads_to_a_page_of_the_site_or_is_none(link: str, at: Path, shown: str) -> None:
    assert within_site(f"See {link}.", at) == f"See {shown}."


def test_pages_that_are_there_stand_in_their_sections_and_others_after_them(tmp_path: Path) -> None:
    for name in ("index", "limits", "something"):
        (tmp_path / f"{name}.md").touch()
    found = {section: pages for part in navigation(tmp_path) for section, pages in part.items()}
    assert found["Start"] == ["index.md"]
    assert found["Operators"] == ["limits.md"]
    assert found[OTHERS] == ["something.md"]
    assert found.keys() - {OTHERS} == SECTIONS.keys()


def test_the_reference_has_every_setting_command_topic_and_schema() -> None:
    text = settings()
    assert all(f"| `{field.metadata['variable']}` |" in text for field in fields(Settings))
    text = commands()
    assert all(f"\n## touchline {name}\n" in text for name in COMMANDS)
    assert "\n### touchline policy try\n" in text
    assert "`--max-lag`" in text
    text = topics()
    assert all(f"| `{topic.name}` |" in text for topic in ALL)
    text = schemas()
    assert "\n## JourneyState\n" in text
    assert "| `occurred_at` | `" in text


def test_the_reference_has_every_plain_view_with_its_columns() -> None:
    text = views()
    for name in ("touchpoints_current", "journeys", "profiles", "signals_open", "accounts", "unknown_names"):
        (part,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        assert part.count("\n| `") > 2, name
    assert not {*re.findall(r"^## (\w+)$", text, re.MULTILINE)} & questions().keys()


def test_a_cell_stays_a_cell() -> None:
    lines = [line for line in settings().splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in lines} == {4}
