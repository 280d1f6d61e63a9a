"""A report's page is whole in one file, well-formed, and nothing that comes from data is markup."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from deploy.reports.page import TABLED, page
from deploy.reports.report import Drawing, Report
from deploy.reports.sankey import sankey
from sinks.clickhouse.read.questions import Parameter, Question
from tests.support.report_rows import BARS, EVIL, FLOW, HEAT, PARTED, ROWS, STACK

MADE = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUESTION = Question(
    "q",
    f"What it {EVIL} means.",
    (Parameter("since", "DateTime64", "30d"), Parameter("steps", "Array(String)")),
    "e",
)
VALUES = {"since": 1_767_225_600_000, "steps": ["a", EVIL]}
VOID = {"meta", "br"}


class Outline(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def made(drawing: Drawing, rows: list[dict[str, Any]]) -> str:
    report = Report("r", "q", f"Title {EVIL}", drawing)
    return page(report, QUESTION, VALUES, list(rows[0]) if rows else [], rows, MADE)


@pytest.mark.parametrize("drawing", [BARS, FLOW, HEAT, STACK, PARTED])
def test_names_with_markup_are_text_in_every_kind_of_picture(drawing: Drawing) -> None:
    text = made(drawing, ROWS[drawing])
    outline = Outline(text)
    assert outline.open == []
    assert "script" not in outline.seen
    assert EVIL in "".join(outline.texts)
    assert text.count("<svg") == text.count("<figure>") == (2 if drawing is PARTED else 1)
    for picture in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(picture)


@pytest.mark.parametrize("drawing", [BARS, FLOW, HEAT, STACK])
def test_a_page_asks_nobody_for_anything(drawing: Drawing) -> None:
    outline = Outline(made(drawing, ROWS[drawing]))
    assert {"src", "href", "onload", "onclick"}.isdisjoint(name for name, _ in outline.attributes)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in outline.attributes
    assert not {"script", "link", "img", "iframe"} & set(outline.seen)


def test_the_table_holds_every_cell_and_says_how_many_rows_it_leaves_out() -> None:
    rows = [{"name": f"n{number}", "value": number} for number in range(TABLED + 5)]
    text = made(Drawing("bars", ("name",), "value"), rows)
    assert f"<td>n{TABLED - 1}</td>" in text
    assert f"<td>n{TABLED}</td>" not in text
    assert "and 5 more rows" in text


def test_an_answer_without_rows_is_a_page_that_says_so() -> None:
    text = made(BARS, [])
    assert "There are no rows." in text
    assert Outline(text).open == []
    assert "2026-01-01 UTC" in text


def test_in_a_sankey_diagram_as_much_leaves_a_node_as_comes_to_it() -> None:
    drawn = ET.fromstring(sankey(FLOW, ROWS[FLOW]))
    widths = {path[0].text: float(path.attrib["stroke-width"]) for path in drawn.iter("path")}
    assert widths[f"home → {EVIL}: 30"] == pytest.approx(
        widths[f"{EVIL} → cart: 20"] + widths[f"{EVIL} → (end): 10"], abs=0.2
    )
    nodes = {box[0].text: float(box.attrib["height"]) for box in drawn.iter("rect")}
    assert nodes["home: 40"] == pytest.approx(
        sum(widths[name] for name in widths if name.startswith("home")), abs=0.2
    )
