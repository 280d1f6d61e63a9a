"""Files of events as a stream of entries: JSON Lines or CSV, plain or gzipped, or standard input.

A bad line is an entry with an error; reading goes on after it. Memory is bounded for any content.
"""

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal

from deploy.ingest.csv_rows import Row, read_rows
from deploy.ingest.lines import SourceError, read_lines
from schemas.errors import ContractError, Reason
from schemas.touchpoint.strict_json import parse_json

Format = Literal["jsonl", "csv"]

STDIN: Final = "-"

_FORMATS: Final[dict[str, Format]] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}


@dataclass(frozen=True)
class Layout:
    """Delimiter, encoding and number format of a file."""

    delimiter: str = ","  #: between the cells of a CSV file
    encoding: str = "utf-8"
    trim: bool = True  #: whether white space around the names of CSV columns is left out
    exact: bool = False  #: whether JSON numbers with a fraction become Decimal, not float


@dataclass(frozen=True)
class Entry:
    """One line of a file (a CSV row may span several): its value, or why it has none."""

    file: str
    line: int  #: where it begins, from 1
    text: str  #: as it stands in the file
    value: Any
    error: ContractError | None = None


def format_of(name: str) -> Format:
    """The format that a file's extension says, .gz aside. Raises SourceError."""
    if name == STDIN:
        return "jsonl"
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in _FORMATS:
        raise SourceError(f"{name}: not .jsonl or .csv (or with .gz): say which with --format")
    return _FORMATS[suffix]


def read_entries(name: str, form: Format, layout: Layout = Layout()) -> Iterator[Entry]:
    """The entries of a file, or of standard input for "-". Raises SourceError if it cannot be read."""
    with _open(name) as stream:
        if form == "jsonl":
            yield from _json_entries(name, stream, layout)
        else:
            yield from _csv_entries(name, stream, layout)


@contextmanager
def _open(name: str) -> Iterator[IO[bytes]]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        raw = Path(name).open("rb")  # noqa: SIM115 (closed below; only opening it may fail with this error)
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}") from error
    with raw:
        if name.endswith(".gz"):
            with gzip.open(raw) as stream:
                yield stream  # type: ignore[misc]
        else:
            yield raw


def _json_entries(name: str, stream: IO[bytes], layout: Layout) -> Iterator[Entry]:
    for line in read_lines(name, stream, layout.encoding):
        text = line.text.rstrip("\r\n")
        if text.isspace() or not text:
            continue
        value, error = None, line.error
        if error is None:
            try:
                value = parse_json(text, exact=layout.exact)
            except ContractError as problem:
                error = problem
        yield Entry(name, line.number, text, value, error)


def _csv_entries(name: str, stream: IO[bytes], layout: Layout) -> Iterator[Entry]:
    rows = read_rows(read_lines(name, stream, layout.encoding), layout.delimiter)
    header = _header(name, next(rows, None), trim=layout.trim)
    for row in rows:
        error = row.error
        if error is None and len(row.cells) != len(header):
            error = ContractError(
                Reason.UNDECODABLE, f"{len(row.cells)} columns, the header has {len(header)}"
            )
        value = dict(zip(header, row.cells, strict=True)) if error is None else None
        yield Entry(name, row.line, row.text, value, error)


def _header(name: str, row: Row | None, *, trim: bool) -> list[str]:
    if row is None:
        raise SourceError(f"{name} is empty: the first line of a CSV file names its columns")
    if row.error is not None:
        raise SourceError(f"{name}: the first line does not name columns: {row.error}")
    header = [cell.strip() for cell in row.cells] if trim else row.cells
    if len(set(header)) != len(header) or "" in header:
        raise SourceError(f"{name}: the first line must name each column once, none empty")
    return header
