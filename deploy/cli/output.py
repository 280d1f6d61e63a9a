"""What commands print: a table for people, JSON for programs."""

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.cli.plain import plain

#: Progress and remarks go to standard error, so that standard output stays clean for pipes.
remarks = Console(stderr=True, highlight=False, emoji=False)
console = Console(highlight=False, emoji=False)

#: Characters that a column must have before its cells are folded; with less room rows are printed one below the other.
NARROWEST: Final = 24
_BORDERS: Final = 3  #: characters that a table spends beside each column
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str) -> None:
    """Print a line of plain text to standard output."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """Print a sentence, or a line of plain text, to standard output.

    Where that is a terminal, or COLUMNS is set, between words to lines that fit. In a pipe it stays one line.
    """
    say(_wrapped(text, console))


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 dead letter, 2,000 dead letters."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def print_json(value: Any) -> None:
    """Print one JSON document on one line. Numbers that JSON does not have (infinite, not a number) become null."""
    sys.stdout.write(json.dumps(plain(value, finite=True), ensure_ascii=False, allow_nan=False) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print rows under their column names; one below the other where the terminal is too narrow for the columns.

    Output that is no terminal is as wide as the rows need, unless COLUMNS is set.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    names = [_text(column) for column in columns]
    widths = [
        max(text.cell_len if "\n" not in text.plain else _longest(text) for text in column)
        for column in zip(names, *cells, strict=True)
    ]
    whole = sum(widths) + _BORDERS * len(widths) + 1
    room = console.width if console.is_terminal or "COLUMNS" in os.environ else whole
    least = [min(width, NARROWEST) for width in widths]
    if sum(least) + _BORDERS * len(least) + 1 > room and len(least) > 2:
        print_vertical(columns, cells, title)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    fits = sum(least) + _BORDERS * len(least) + 1 <= room
    for name, width in zip(names, least, strict=True):
        table.add_column(name, overflow="fold", min_width=width if fits else None)
    for row in cells:
        table.add_row(*row)
    Console(highlight=False, emoji=False, width=room).print(table)


def print_vertical(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print each row as lines of `column: value`, whatever the width."""
    if title:
        say(title)
    names = [_text(column).plain + ":" for column in columns]
    width = max((len(name) for name in names), default=0)
    for number, row in enumerate(rows, 1):
        heading = f"Row {number}:"
        say(f"{heading}\n{'─' * len(heading)}")
        for name, cell in zip(names, row, strict=True):
            say(f"{name:<{width}} {_text(cell).plain}".rstrip())
        say("")


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


def _text(value: Any) -> Text:
    """A cell as it is printed: no markup is read in it, and no character of it moves the terminal's cursor."""
    if isinstance(value, Text):
        return value
    return Text("" if value is None else _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", str(plain(value))))


def _longest(text: Text) -> int:
    return max(line.cell_len for line in text.split())


def remark(text: str) -> None:
    """Print a sentence to standard error, wrapped as `tell` does."""
    remarks.print(_wrapped(text, remarks), markup=False, soft_wrap=True)


def _wrapped(text: str, where: Console) -> str:
    if not (where.is_terminal or "COLUMNS" in os.environ):
        return text
    indent = text[: len(text) - len(text.lstrip(" "))]
    # a word that is too long, such as an id or a path, stays whole: it is there to be copied
    wrapped = textwrap.wrap(
        text, where.width, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(wrapped)
