"""Reads CSV rows. A broken row costs only itself: a quote that never closes does not swallow the rows that follow."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from deploy.ingest.reading.lines import MAX_LINE_BYTES, START, Line, Position
from schemas.errors import ContractError, Reason

#: Characters of one cell: eight times what a touchpoint keeps of an attribute.
MAX_CELL: Final = 64 * 1024
#: Lines of one row: its quoted cells may hold line ends.
MAX_ROW_LINES: Final = 200


class UnclosedQuote(ContractError):  # noqa: N818 (named for what it finds)
    """The quote of a cell does not close within MAX_ROW_LINES. Only the first line of its row is rejected."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.UNDECODABLE, f"a quoted cell does not close: {detail}")


@dataclass(frozen=True)
class Row:
    """The cells of a row, or what is wrong with it."""

    line: int  #: where it begins, from 1
    text: str  #: as it stands in the file
    cells: list[str]
    error: ContractError | None = None
    end: Position = START  #: behind its last line


def read_rows(lines: Iterator[Line], delimiter: str = ",", *, quotes: bool = True) -> Iterator[Row]:
    """The rows, header included, blank lines left out; holds one row in memory.

    A row that is not CSV, spans more than MAX_ROW_LINES lines or has a cell above MAX_CELL is rejected. If it
    spans several lines, only its first is: the reader goes on with the next line of the file, since the quote
    that began the row may be a slip. Without `quotes` a quote is a character like others, and a row is a line.
    """
    # csv has one limit for the whole process; no other part of Touchline reads CSV
    csv.field_size_limit(MAX_CELL)
    feed = _Feed(lines)
    quoting: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    reader = csv.reader(feed, delimiter=delimiter, quoting=quoting, strict=True)
    while feed.begin():
        cells: list[str] = []
        error: ContractError | None = None
        if _is_cut(feed.first):
            feed.skip()
        else:
            try:
                cells = next(reader)
            except csv.Error as fault:
                error = _broken(fault, feed)
                reader = csv.reader(feed, delimiter=delimiter, quoting=quoting, strict=True)
            except _TooLongError as fault:
                error = UnclosedQuote(str(fault))
                reader = csv.reader(feed, delimiter=delimiter, quoting=quoting, strict=True)
        if error is not None:
            feed.give_back()
        taken = feed.taken
        error = error or next((line.error for line in taken if line.error is not None), None)
        if cells or error is not None:
            text = "".join(line.text for line in taken).rstrip("\r\n")
            yield Row(taken[0].number, text, cells, error, taken[-1].end)


class _TooLongError(Exception):
    """The present row has more than MAX_ROW_LINES lines."""


class _Feed:
    """Gives csv.reader its lines one by one, and takes back those of a broken row."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._back: deque[Line] = deque()
        self._size = 0
        self.taken: list[Line] = []  #: of the present row

    def begin(self) -> bool:
        """Begin a row; False if there is none."""
        line = self._next()
        if line is not None:
            self._back.appendleft(line)
        self.taken, self._size = [], 0
        return line is not None

    @property
    def first(self) -> Line:
        """The line with which the present row begins, taken or not."""
        return self.taken[0] if self.taken else self._back[0]

    def skip(self) -> None:
        """Take the row's first line without reading it."""
        self.taken = [self._back.popleft()]

    def give_back(self) -> None:
        """Keep only the first line of the present row."""
        self._back.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._next()
        if line is None:
            raise StopIteration
        self._size += len(line.text)
        self.taken.append(line)
        if len(self.taken) > MAX_ROW_LINES:
            raise _TooLongError(f"the row goes on after {MAX_ROW_LINES} lines")
        if len(self.taken) > 1 and (self._size > MAX_LINE_BYTES or _is_cut(line)):
            raise _TooLongError(f"the row goes on after {MAX_LINE_BYTES} bytes")
        return line.text

    def _next(self) -> Line | None:
        return self._back.popleft() if self._back else next(self._lines, None)


def _is_cut(line: Line) -> bool:
    return line.error is not None and line.error.reason is Reason.TOO_LARGE


def _broken(fault: csv.Error, feed: _Feed) -> ContractError:
    if "field limit" in str(fault):
        if len(feed.taken) == 1:
            return ContractError(Reason.TOO_LARGE, f"a cell has more than {MAX_CELL:,} characters")
        return UnclosedQuote(f"it goes on after {MAX_CELL:,} characters")
    if "unexpected end" in str(fault):
        return UnclosedQuote("the file ends")
    return ContractError(Reason.UNDECODABLE, f"not CSV: {fault}")
