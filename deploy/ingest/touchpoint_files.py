"""Reads files of events as touchpoints. Rows of another system are mapped. Each line is accepted or rejected."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final, NamedTuple

from deploy.ingest.mapping.cells import ABSENT, find
from deploy.ingest.mapping.refusal import refusal_of
from deploy.ingest.mapping.row_events import SourceMapping
from deploy.ingest.reading.files import STDIN, Entry, Format, Layout, format_of, read_entries
from deploy.ingest.reading.lines import START, Position, SourceError
from schemas.errors import ContractError
from schemas.records import Touchpoint
from schemas.touchpoint.intake import accept


def wall_clock_ms() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Place(NamedTuple):
    """How far a list of files is read."""

    file: int = 0  #: of the list, from 0
    position: Position = START  #: in that file


BEGIN: Final = Place()


@dataclass(frozen=True)
class Sourced:
    """A touchpoint of a line of a file, or the line with the reason why it has none (entry.error)."""

    entry: Entry
    touchpoint: Touchpoint | None
    #: Behind the line; None before the last of its touchpoints.
    place: Place | None = None

    def give(self, use: Callable[[Touchpoint], object]) -> Entry:
        """Give the touchpoint to `use`; the entry has the error by which the line or `use` refused it, if one did."""
        if self.touchpoint is None:
            return self.entry
        try:
            use(self.touchpoint)
        except ContractError as error:
            return replace(self.entry, error=error)
        return self.entry


class TouchpointFiles:
    """Every line of every file behind `start`, in order; `received_at` is `clock()` unless a line says an earlier time.

    By its mapping a line may be several touchpoints, or none. Iterating raises SourceError for a file that cannot be
    read, or that is not the one in which `start` is; SettingsError if a CSV file lacks a column of the mapping.
    """

    def __init__(
        self,
        files: Sequence[str],
        mapping: SourceMapping | None = None,
        form: Format | None = None,
        clock: Callable[[], int] = wall_clock_ms,
        start: Place = BEGIN,
    ) -> None:
        self._files = files
        self._mapping = mapping
        self._form = form
        self._clock = clock
        self._start = start
        #: Columns of the mapping that no JSON line has had so far.
        self._unseen = mapping.needed() if mapping else set()
        self._rows = 0
        self._open: IO[bytes] | None = None
        self._bytes_before = sum(map(_size, files[: start.file]))
        self.left_out = 0  #: lines that the mapping makes nothing of

    def __iter__(self) -> Iterator[Sourced]:
        for number, name in enumerate(self._files):
            if number < self._start.file:
                continue
            after = self._start.position if number == self._start.file else START
            yield from self._read_file(number, name, self._form or format_of(name), after)
            self._bytes_before += _size(name)
            self._open = None

    def bytes_read(self) -> int:
        """How much of the files, as they are stored, is read."""
        return self._bytes_before + (self._open.tell() if self._open and not self._open.closed else 0)

    def bytes_in_all(self) -> int | None:
        """How much there is; None if that cannot be known."""
        return None if STDIN in self._files else sum(map(_size, self._files))

    def unseen(self) -> list[str]:
        """Columns that the mapping names and no line had, once all are read.

        None if there was no line, or if reading began behind some: these may have had them.
        """
        return sorted(self._unseen) if self._rows and self._start == BEGIN else []

    def lacks_required(self) -> bool:
        """Whether one of `unseen` fills a required field or an identifier."""
        return self._mapping is not None and not self._mapping.required().isdisjoint(self.unseen())

    def _read_file(self, number: int, name: str, form: Format, after: Position) -> Iterator[Sourced]:
        mapping = self._mapping
        if form == "csv" and mapping is None:
            raise SourceError(
                f"{name} is CSV: say which column is what with --mapping MAPPING.toml,"
                f" which `touchline mapping new {name}` proposes"
            )
        checked = False
        layout = mapping.layout if mapping else Layout()
        for entry in read_entries(name, form, layout, after, self._opened):
            place = Place(number, entry.end)
            if entry.error is not None:
                yield Sourced(entry, None, place)
                continue
            if mapping is not None and form == "csv" and not checked:
                mapping.check_columns(list(entry.value), name)
                checked = True
            try:
                touchpoints = self._touchpoints(entry.value)
            except Exception as error:  # noqa: BLE001 (refusal_of raises again what is not the row's own)
                yield Sourced(replace(entry, error=refusal_of(error)), None, place)
                continue
            self.left_out += not touchpoints
            for count, touchpoint in enumerate(touchpoints, start=1):
                yield Sourced(entry, touchpoint, place if count == len(touchpoints) else None)

    def _touchpoints(self, value: object) -> list[Touchpoint]:
        now = self._clock()
        if self._mapping is None:
            return [accept(value, now)]
        self._notice(self._mapping.row(value) if self._unseen or not self._rows else value)
        return [accept(event, now) for event in self._mapping.events(value, now)]

    def _notice(self, row: object) -> None:
        if isinstance(row, Mapping):
            self._rows += 1
            if self._unseen:
                self._unseen = {column for column in self._unseen if find(row, column) is ABSENT}

    def _opened(self, stream: IO[bytes]) -> None:
        self._open = stream


def _size(name: str) -> int:
    try:
        return 0 if name == STDIN else Path(name).stat().st_size
    except OSError:  # gone since it was checked: opening it says so
        return 0


def read_touchpoints(
    files: Sequence[str], mapping: SourceMapping | None = None, form: Format | None = None
) -> TouchpointFiles:
    """The touchpoints of files: see TouchpointFiles."""
    return TouchpointFiles(files, mapping, form)
