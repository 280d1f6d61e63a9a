"""What commands print: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

#: Progress and remarks go to standard error, so that standard output stays clean for pipes.
remarks = Console(stderr=True, highlight=False)
console = Console(highlight=False)


def say(text: str) -> None:
    """Print a line of plain text to standard output."""
    sys.stdout.write(text + "\n")


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 dead letter, 2,000 dead letters."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def print_json(value: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print rows under their column names."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as one JSON object a line."""
    if as_json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)


def print_mapping(values: Mapping[str, Any], *, as_json: bool, title: str | None = None) -> None:
    """Print names and values as a two-column table, or as one JSON object."""
    if as_json:
        print_json(values)
    else:
        print_table(("", ""), list(values.items()), title=title)


def remark(text: str) -> None:
    """Print a line of plain text to standard error."""
    remarks.print(text, markup=False, soft_wrap=True)
