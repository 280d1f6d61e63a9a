"""Reads files of events as touchpoints. Rows of another system are mapped. Each line is accepted or rejected."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from deploy.ingest.cells import ABSENT, find
from deploy.ingest.files import Entry, Format, Layout, format_of, read_entries
from deploy.ingest.lines import SourceError
from deploy.ingest.mapping import ColumnMapping
from schemas.errors import ContractError
from schemas.records import Touchpoint
from schemas.touchpoint.intake import accept


def wall_clock_ms() -> int:
    """Now, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Sourced:
    """A line of a file with its touchpoint, or with the reason why it has none (entry.error)."""

    entry: Entry
    touchpoint: Touchpoint | None

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
    """Every line of every file, in order, once; `received_at` is `clock()` unless the line says an earlier time.

    Iterating raises SourceError for a file that cannot be read, SettingsError if a CSV file lacks a column of
    the mapping.
    """

    def __init__(
        self,
        files: Sequence[str],
        mapping: ColumnMapping | None = None,
        form: Format | None = None,
        clock: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._files = files
        self._mapping = mapping
        self._form = form
        self._clock = clock
        #: Columns of the mapping that no JSON line has had so far.
        self._unseen = mapping.needed() if mapping else set()
        self._rows = 0

    def __iter__(self) -> Iterator[Sourced]:
        for name in self._files:
            yield from self._read_file(name, self._form or format_of(name))

    def unseen(self) -> list[str]:
        """Columns that the mapping names and no line had, once all are read; none if there was no line."""
        return sorted(self._unseen) if self._rows else []

    def lacks_required(self) -> bool:
        """Whether one of `unseen` fills a required field or an identifier."""
        return self._mapping is not None and not self._mapping.required().isdisjoint(self.unseen())

    def _read_file(self, name: str, form: Format) -> Iterator[Sourced]:
        mapping = self._mapping
        if form == "csv" and mapping is None:
            raise SourceError(f"{name} is CSV: say which column is what with --mapping MAPPING.toml")
        checked = False
        for entry in read_entries(name, form, mapping.layout if mapping else Layout()):
            if entry.error is not None:
                yield Sourced(entry, None)
                continue
            value = entry.value
            if mapping is not None and form == "csv" and not checked:
                mapping.check_columns(list(value), name)
                checked = True
            try:
                if mapping is not None:
                    self._notice(value)
                    value = mapping.apply(value)
                touchpoint = accept(value, self._clock())
            except ContractError as error:
                yield Sourced(replace(entry, error=error), None)
            else:
                yield Sourced(entry, touchpoint)

    def _notice(self, row: object) -> None:
        if isinstance(row, dict):
            self._rows += 1
            if self._unseen:
                self._unseen = {column for column in self._unseen if find(row, column) is ABSENT}


def read_touchpoints(
    files: Sequence[str], mapping: ColumnMapping | None = None, form: Format | None = None
) -> TouchpointFiles:
    """The touchpoints of files: see TouchpointFiles."""
    return TouchpointFiles(files, mapping, form)
