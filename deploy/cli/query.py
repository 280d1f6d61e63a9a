"""`touchline query`: SQL for a person."""

import csv
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.output import print_rows, print_vertical, remarks
from deploy.cli.plain import plain
from schemas.errors import TouchlineError
from sinks.clickhouse.read.hints import parameters
from sinks.clickhouse.read.query import select

#: FORMAT at the end of a statement → the option that prints it: the native protocol has no formats.
FORMATS: Final = {
    "csv": "csv", "csvwithnames": "csv", "jsoneachrow": "json", "vertical": "vertical",
    "pretty": "table", "prettycompact": "table", "prettyspace": "table",
}  # fmt: skip
_FORMAT: Final = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_OUTFILE: Final = re.compile(r"\bINTO\s+OUTFILE\b", re.IGNORECASE)


def command(
    sql: Annotated[
        str | None,
        typer.Argument(help="One ClickHouse statement; it can read, not write.", metavar="SQL"),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", help="Read the statement from this file; - is standard input.")
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", help="A value for {name:Type} in the statement; repeatable.", metavar="NAME=VALUE"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.")] = False,
    vertical: Annotated[bool, typer.Option("--vertical", help="A line a column, for wide rows.")] = False,
) -> None:
    """Ask ClickHouse: a table, or JSON, CSV or vertical. Try SHOW TABLES.

    A table too wide for the terminal is printed vertically. In JSON, times are ISO 8601, decimals and UUIDs text, and
    inf and nan are null, since JSON has neither. The server reads the values of --param as their types, so nothing in
    them is SQL; those of an Array type are comma-separated.

    Example: touchline query "SELECT stage, profiles, friction FROM journey_stages ORDER BY profiles DESC"
    """
    asked = [name for name, on in (("json", as_json), ("csv", as_csv), ("vertical", vertical)) if on]
    if len(asked) > 1:
        raise typer.BadParameter(f"--{asked[0]} and --{asked[1]} exclude each other")
    sql, form = form_of(statement(sql, file), asked[0] if asked else None)
    values = parameters(sql, dict(map(_named, param or [])))
    columns, rows = select(Context.from_env().settings.readers_clickhouse(), sql, values)
    if form == "json":
        _require_names(columns)
        print_rows(columns, rows, as_json=True)
    elif form == "csv":
        print_csv(columns, rows)
    elif form == "vertical":
        print_vertical(columns, rows)
    else:
        print_rows(columns, rows, as_json=False)
    if not rows and form in ("table", "vertical"):
        remarks.print("no rows")


def statement(sql: str | None, file: str | None) -> str:
    """The statement, from the command line or a file. Raises typer.BadParameter or TouchlineError."""
    if (sql is None) == (file is None):
        raise typer.BadParameter("give one statement: as SQL, or with --file")
    if sql is None:
        assert file is not None
        sql = _read(file)
    if not sql.strip():
        raise TouchlineError("the statement is empty: try SHOW TABLES")
    return sql


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TouchlineError(f"--file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TouchlineError(f"--file {file} is not UTF-8 text: save it as UTF-8") from error


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"--param {text!r} must read NAME=VALUE")
    return name.strip(), value


def print_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a header and a line a row: NULL is empty, arrays, tuples and maps are JSON."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(columns)
    out.writerows([_csv_cell(plain(cell)) for cell in row] for row in rows)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, (bool, list, tuple, dict)):
        return json.dumps(plain(value, finite=True), ensure_ascii=False)
    return value


def form_of(sql: str, asked: str | None) -> tuple[str, str]:
    """The statement without its FORMAT, and what to print. Raises TouchlineError for one that nobody prints."""
    if _OUTFILE.search(sql):
        raise TouchlineError("INTO OUTFILE would be ignored: use --csv or --json with > FILE")
    found = _FORMAT.search(sql)
    if found is None:
        return sql, asked or "table"
    form = FORMATS.get(found[1].lower())
    if form is None:
        raise TouchlineError(f"FORMAT {found[1]} cannot be printed: use --csv, --json or --vertical")
    if asked not in (None, form):
        raise typer.BadParameter(f"--{asked} and FORMAT {found[1]} exclude each other")
    return sql[: found.start()], form


def _require_names(columns: Sequence[str]) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise TouchlineError(
            f"two columns are named {twice}: a JSON object holds one, so name the other with AS"
        )
