"""How commands print: tables that stay readable when narrow, JSON that is JSON, CSV that spreadsheets read."""

import csv
import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import typer
from rich.console import Console

from deploy.cli import output
from deploy.cli import query as query_command
from deploy.cli.output import counted, print_json, print_table, print_vertical, remark, tell
from deploy.cli.plain import plain
from deploy.cli.query import command, form_of, print_csv
from schemas.errors import TouchlineError

NOON = datetime(2026, 1, 1, 12, 0, 0, 250_000, UTC)
WIDE = ("profile_id", "stage", "started_at", "types", "friction")
ROW = ("b7e048b5-bb97-5e68-9938-9417a3df69bd", "considering", NOON, ["home", "search"], 0.25)


@pytest.fixture(params=[60, 80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of a terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setattr(output, "console", Console(highlight=False))
    return int(request.param)


def test_a_table_shows_every_value_at_every_width(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(WIDE, [ROW, ROW])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= max(width, len("profile_id: ") + 36)
    for value in ("considering", "0.25", "home", "search", "friction"):
        assert value in shown
    assert ("Row 2:" in shown) == (width < 120)
    assert "datetime.datetime" not in shown


def test_a_cell_is_text_and_no_markup_and_moves_no_cursor(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table(("[b]name", "n"), [("a [red] b [/x]", "\x1b[31m")])
    print_vertical(("name",), [("[/x]\x07",)])
    shown = capsys.readouterr().out
    assert "a [red] b [/x]" in shown
    assert "[b]name" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_what_is_piped_is_as_wide_as_its_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(output, "console", Console(highlight=False))
    print_table(WIDE, [ROW])
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NOON, "2026-01-01T12:00:00.250Z"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (date(2026, 1, 1), "2026-01-01"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (b"\xff", "ff"),
        ([(NOON, b"\xff")], [("2026-01-01T12:00:00.250Z", "ff")]),
        ({NOON: math.inf}, {"2026-01-01T12:00:00.250Z": None}),
        (math.nan, None),
        (-math.inf, None),
        (True, True),
    ],
)
def test_every_value_has_a_plain_form(value: Any, shown: Any) -> None:
    assert plain(value, finite=True) == shown


def test_json_is_json_for_numbers_that_it_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": math.inf, "b": [math.nan, {"c": -math.inf}], "d": NOON})
    said = capsys.readouterr().out
    assert json.loads(said, parse_constant=pytest.fail) == {
        "a": None, "b": [None, {"c": None}], "d": "2026-01-01T12:00:00.250Z"
    }  # fmt: skip


def test_csv_has_a_header_and_nested_values_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv(("a", "b,c", "d"), [('say "x"\n', [NOON], None), (1.5, True, math.inf)])
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["a", "b,c", "d"]
    assert rows[1] == ['say "x"\n', '["2026-01-01T12:00:00.250Z"]', ""]
    assert rows[2] == ["1.5", "true", "inf"]


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 letters"), (1, "1 letter"), (2, "2 letters"), (1500, "1,500 letters")]
)
def test_one_of_a_thing_has_no_plural(count: int, said: str) -> None:
    assert counted(count, "letter") == said


@pytest.mark.parametrize(
    ("sql", "asked", "form"),
    [
        ("SELECT 1", None, ("SELECT 1", "table")),
        ("SELECT 1", "csv", ("SELECT 1", "csv")),
        ("SELECT 1 format csvWithNames;", None, ("SELECT 1 ", "csv")),
        ("SELECT 1 FORMAT JSONEachRow", "json", ("SELECT 1 ", "json")),
        ("SELECT 1 FORMAT Vertical", None, ("SELECT 1 ", "vertical")),
        ("SELECT format('{}', 'x')", None, ("SELECT format('{}', 'x')", "table")),
    ],
)
def test_a_format_in_the_statement_is_obeyed(sql: str, asked: str | None, form: tuple[str, str]) -> None:
    assert form_of(sql, asked) == form


def test_what_would_be_ignored_is_refused() -> None:
    with pytest.raises(TouchlineError, match="FORMAT TSV cannot be printed: use --csv"):
        form_of("SELECT 1 FORMAT TSV", None)
    with pytest.raises(TouchlineError, match="INTO OUTFILE would be ignored"):
        form_of("SELECT 1 INTO OUTFILE 'x'", None)
    with pytest.raises(typer.BadParameter, match="--json and FORMAT CSV exclude each other"):
        form_of("SELECT 1 FORMAT CSV", "json")
    with pytest.raises(typer.BadParameter, match="--json and --csv exclude each other"):
        command("SELECT 1", as_json=True, as_csv=True)


def test_two_columns_of_one_name_lose_neither_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_command, "select", lambda *_: (["a", "a"], [(1, 2)]))
    with pytest.raises(TouchlineError, match="two columns are named a"):
        command("SELECT 1 AS a, 2 AS a", as_json=True)


SENTENCE = (
    "  12 touchpoints have the type 'gdpr_erasures', which nobody knows: if they ask for an erasure, send it"
)


def test_sentences_are_wrapped_between_words_to_the_width_of_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "remarks", Console(stderr=True, highlight=False))
    tell(SENTENCE)
    remark(SENTENCE)
    shown = capsys.readouterr()
    assert shown.out == shown.err
    assert max(map(len, shown.out.splitlines())) <= width
    assert shown.out.split() == SENTENCE.split()
    first, *others = shown.out.splitlines()
    assert first.startswith("  12")
    assert all(line.startswith("    ") for line in others)


def test_a_word_that_is_too_long_stays_whole_to_be_copied(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(f"profile {'x' * 250} is there")
    assert "x" * 250 in capsys.readouterr().out


def test_a_sentence_in_a_pipe_stays_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    tell(SENTENCE * 3)
    remark(SENTENCE * 3)
    shown = capsys.readouterr()
    assert (shown.out.count("\n"), shown.err.count("\n")) == (1, 1)
