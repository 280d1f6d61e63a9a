"""Files of events as a stream of entries: JSON Lines or CSV, plain or gzipped, or standard input.

A bad line is an entry with an error and never ends the file; memory stays bounded whatever the file holds.
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, NoReturn

from schemas.codec import MAX_BYTES
from schemas.errors import ContractError, Reason, TouchlineError

Format = Literal["jsonl", "csv"]

#: A touchpoint of MAX_BYTES fits with its field names and escapes.
MAX_LINE_BYTES: Final = 4 * MAX_BYTES
STDIN: Final = "-"

_FORMATS: Final[dict[str, Format]] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}


class SourceError(TouchlineError):
    """A file of events cannot be read (further). Response: stop; the text names the file and the fix."""


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


def read_entries(name: str, form: Format, delimiter: str = ",") -> Iterator[Entry]:
    """The entries of a file, or of standard input for "-". Raises SourceError if it cannot be read."""
    with _open(name) as stream:
        lines = _Lines(name, stream)
        yield from _json_entries(name, lines) if form == "jsonl" else _csv_entries(name, lines, delimiter)


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


class _Lines:
    """Lines as text; remembers those read since the last `take`: one CSV row may span several."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self._name = name
        self._stream = stream
        self._number = 0
        self._first = 1
        self._taken: list[str] = []
        self._error: ContractError | None = None

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._read(MAX_LINE_BYTES)
        if not raw:
            raise StopIteration
        self._number += 1
        if len(raw) == MAX_LINE_BYTES and raw[-1:] != b"\n":
            self._error = ContractError(Reason.TOO_LARGE, f"the line is longer than {MAX_LINE_BYTES} bytes")
            rest = self._read(MAX_LINE_BYTES)
            while rest and rest[-1:] != b"\n":
                rest = self._read(MAX_LINE_BYTES)
            raw = raw[:1000]
        if self._number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            self._error = self._error or ContractError(Reason.UNDECODABLE, "the line is not UTF-8")
            text = raw.decode(errors="backslashreplace")
        self._taken.append(text)
        return text

    def take(self) -> tuple[int, str, ContractError | None]:
        """Number of the first line since the last call, the text of all, and what is wrong with it."""
        taken = self._first, "".join(self._taken).rstrip("\r\n"), self._error
        self._first, self._taken, self._error = self._number + 1, [], None
        return taken

    def _read(self, limit: int) -> bytes:
        try:
            return self._stream.readline(limit)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{self._name} cannot be read beyond line {self._number}: {error}") from error


def _json_entries(name: str, lines: _Lines) -> Iterator[Entry]:
    for raw in lines:
        line, text, error = lines.take()
        if text.isspace() or not text:
            continue
        value = None
        if error is None:
            try:
                value = json.loads(raw, parse_constant=_refuse_constant)
            except (ValueError, RecursionError) as problem:
                error = ContractError(Reason.UNDECODABLE, f"not JSON: {problem}")
        yield Entry(name, line, text, value, error)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _csv_entries(name: str, lines: _Lines, delimiter: str) -> Iterator[Entry]:
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header = _header(name, rows)
    lines.take()
    while True:
        row: list[str] = []
        problem = None
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as fault:
            problem = ContractError(Reason.UNDECODABLE, f"not CSV: {fault}")
        line, text, error = lines.take()
        if not row and problem is None and error is None:
            continue
        if problem is None and len(row) != len(header):
            problem = ContractError(Reason.UNDECODABLE, f"{len(row)} columns, the header has {len(header)}")
        error = error or problem
        yield Entry(name, line, text, dict(zip(header, row, strict=True)) if error is None else None, error)


def _header(name: str, rows: Iterator[list[str]]) -> list[str]:
    try:
        header = next(rows)
    except StopIteration:
        raise SourceError(f"{name} is empty: the first line of a CSV file names its columns") from None
    except csv.Error as error:
        raise SourceError(f"{name}: the first line does not name columns: {error}") from error
    if len(set(header)) != len(header) or "" in header:
        raise SourceError(f"{name}: the first line must name each column once, none empty")
    return header
