"""Files of events as a stream of entries: JSON Lines, CSV, TSV or Parquet, plain or gzipped, or standard input.

A bad line is an entry with an error; reading goes on after it. Memory is bounded for any content.
"""

import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, Literal

from deploy.ingest.reading.csv_rows import Row, read_rows
from deploy.ingest.reading.lines import START, Line, Lines, Position, SourceError
from deploy.ingest.reading.parquet_rows import read_parquet
from schemas.errors import ContractError, Reason
from schemas.touchpoint.strict_json import parse_json

Format = Literal["jsonl", "csv", "parquet"]

STDIN: Final = "-"

_FORMATS: Final[dict[str, Format]] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
_OBJECTS_BY_CR: Final = re.compile(r"\}\s*\r\s*\{")


@dataclass(frozen=True)
class Layout:
    """Delimiter, encoding and number format of a file."""

    delimiter: str = ""  #: between the cells of a CSV file; "": a tab in .tsv, else a comma
    encoding: str = "utf-8"
    trim: bool = True  #: whether white space around the names of CSV columns is left out
    exact: bool = False  #: whether JSON numbers with a fraction become Decimal, not float
    header: tuple[str, ...] = ()  #: the columns of a CSV file whose first line is a row already
    quotes: bool = True  #: whether a cell may be quoted


@dataclass(frozen=True)
class Entry:
    """One line of a file (a CSV row may span several): its value, or why it has none."""

    file: str
    line: int  #: where it begins, from 1
    text: str  #: as it stands in the file
    value: Any
    error: ContractError | None = None
    end: Position = START  #: behind it


def format_of(name: str) -> Format:
    """The format that a file's extension says, .gz aside. Raises SourceError."""
    if name == STDIN:
        return "jsonl"
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in _FORMATS:
        raise SourceError(
            f"{name}: not .jsonl or .csv or .tsv (or with .gz) or .parquet: say which with --format"
        )
    return _FORMATS[suffix]


def read_entries(
    name: str,
    form: Format,
    layout: Layout = Layout(),
    after: Position = START,
    opened: Callable[[IO[bytes]], object] = lambda _: None,
) -> Iterator[Entry]:
    """The entries of a file behind `after`, or of standard input for "-"; `opened` is given the open file.

    Raises SourceError if it cannot be read, or if what stands before `after` is not what stood there then.
    """
    if form == "parquet":
        for number, value, end in read_parquet(name, after, opened):
            yield Entry(name, number, json.dumps(value, default=str), value, end=end)
        return
    with _open(name, opened) as stream:
        lines = Lines(name, stream, layout.encoding)
        if form == "jsonl":
            yield from _json_entries(name, lines, layout, after)
        else:
            yield from _csv_entries(name, lines, layout, after)


@contextmanager
def _open(name: str, opened: Callable[[IO[bytes]], object]) -> Iterator[IO[bytes]]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        raw = Path(name).open("rb")  # noqa: SIM115 (closed below; only opening it may fail with this error)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from error
    with raw:
        opened(raw)
        if name.endswith(".gz"):
            with gzip.open(raw) as stream:
                yield stream  # type: ignore[misc]
        else:
            yield raw


def _json_entries(name: str, lines: Lines, layout: Layout, after: Position) -> Iterator[Entry]:
    lines.skip_to(after)
    for line in lines:
        text = line.text.rstrip("\r\n")
        if text.isspace() or not text:
            continue
        if line.number == 1 and not line.text.endswith("\n") and _OBJECTS_BY_CR.search(text):
            raise _by_cr(name)
        value, error = None, line.error
        if error is None:
            try:
                value = parse_json(text, exact=layout.exact)
            except ContractError as problem:
                error = problem
        yield Entry(name, line.number, text, value, error, line.end)


def _csv_entries(name: str, lines: Lines, layout: Layout, after: Position) -> Iterator[Entry]:
    delimiter = layout.delimiter or ("\t" if name.lower().removesuffix(".gz").endswith(".tsv") else ",")
    if layout.header:
        lines.skip_to(after)
    rows = read_rows(_checked(name, lines), delimiter, quotes=layout.quotes)
    header: Sequence[str] = layout.header or _header(name, next(rows, None), trim=layout.trim)
    if after.line and not layout.header:
        lines.skip_to(after)
    for row in rows:
        error = row.error
        if error is None and len(row.cells) != len(header):
            error = ContractError(
                Reason.UNDECODABLE, f"{len(row.cells)} columns, the header has {len(header)}"
            )
        value = dict(zip(header, row.cells, strict=True)) if error is None else None
        yield Entry(name, row.line, row.text, value, error, row.end)


def _checked(name: str, lines: Lines) -> Iterator[Line]:
    """The lines; a file of only one, which holds carriage returns, is refused."""
    first = next(lines, None)
    if first is None:
        return iter(())
    if first.number == 1 and not first.text.endswith("\n") and "\r" in first.text.rstrip("\r"):
        raise _by_cr(name)
    return chain([first], lines)


def _by_cr(name: str) -> SourceError:
    return SourceError(
        f"{name} ends its lines with carriage returns only, as old Macs did: save it with LF or CRLF line ends"
    )


def _header(name: str, row: Row | None, *, trim: bool) -> list[str]:
    if row is None:
        raise SourceError(f"{name} is empty: the first line of a CSV file names its columns")
    if row.error is not None:
        raise SourceError(f"{name}: the first line does not name columns: {row.error}")
    header = [cell.strip() for cell in row.cells] if trim else row.cells
    if len(set(header)) != len(header) or "" in header:
        raise SourceError(f"{name}: the first line must name each column once, none empty")
    return header
