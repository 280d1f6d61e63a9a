"""`touchline query`: where the statement and its values come from. test_tables.py asks a real ClickHouse."""

import io
from pathlib import Path
from typing import Any

import pytest
import typer

from deploy.cli import query
from schemas.errors import TouchlineError
from schemas.settings import ClickHouse

ASKED = tuple[ClickHouse, str, dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ASKED]:
    """What was asked; the answer is one row."""
    found: list[ASKED] = []

    def select(
        where: ClickHouse, sql: str, values: dict[str, Any]
    ) -> tuple[list[str], list[tuple[object, ...]]]:
        found.append((where, sql, values))
        return ["a", "b"], [(1, "x;y")]

    monkeypatch.setattr(query, "select", select)
    return found


def test_a_statement_comes_from_a_file_and_its_values_from_the_command_line(
    asked: list[ASKED], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weekly.sql"
    path.write_text(
        "\ufeffSELECT * FROM journeys WHERE stage IN {stages:Array(String)} AND tenant = {t:String}\n",
        "utf-8",
    )
    query.command(None, str(path), ["stages=intent,purchase", "t=a=b"], as_csv=True)

    ((_, sql, values),) = asked
    assert sql.startswith("SELECT * FROM journeys")
    assert values == {"stages": ["intent", "purchase"], "t": "a=b"}
    assert capsys.readouterr().out == "a,b\n1,x;y\n"


def test_a_dash_is_standard_input(asked: list[ASKED], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 FORMAT CSV"))
    query.command(file="-")
    assert asked[0][1].strip() == "SELECT 1"


def test_the_analyst_asks_if_there_is_one(asked: list[ASKED], monkeypatch: pytest.MonkeyPatch) -> None:
    query.command("SELECT 1")
    monkeypatch.setenv("TOUCHLINE_ANALYST_USER", "ann")
    monkeypatch.setenv("TOUCHLINE_ANALYST_PASSWORD", "secret")
    query.command("SELECT 1")
    assert [where.user for where, *_ in asked] == ["default", "ann"]


@pytest.mark.parametrize(("sql", "file"), [(None, None), ("SELECT 1", "x.sql")])
def test_one_statement_is_asked(sql: str | None, file: str | None) -> None:
    with pytest.raises(typer.BadParameter, match="give one statement"):
        query.command(sql, file)


@pytest.mark.parametrize("param", ["stage", "=x", " =x"])
def test_a_value_needs_a_name(param: str) -> None:
    with pytest.raises(typer.BadParameter, match="must read NAME=VALUE"):
        query.command("SELECT {stage:String}", None, [param])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "cannot be read: No such file"), (b"\xff", "is not UTF-8"), (b" \n", "is empty")],
)
def test_a_file_that_is_no_statement_is_refused_with_its_name(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "x.sql"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TouchlineError, match=sentence):
        query.command(file=str(path))
