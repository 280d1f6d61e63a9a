"""Files of events as touchpoints: read, mapped if they are somebody else's rows, one at a time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from deploy.sources.files import Entry, Format, SourceError, format_of, read_entries
from deploy.sources.mapping import ColumnMapping
from schemas.errors import ContractError
from schemas.jsonform import from_json
from schemas.records import Touchpoint
from schemas.touchpoints import capped


@dataclass(frozen=True)
class Sourced:
    """A line of a file and its touchpoint, or what is wrong with it (entry.error)."""

    entry: Entry
    touchpoint: Touchpoint | None


def read_touchpoints(
    files: Sequence[str], mapping: ColumnMapping | None = None, form: Format | None = None
) -> Iterator[Sourced]:
    """Every line of every file, in order; `received_at` is now where the line does not say an earlier time.

    Raises SourceError for a file that cannot be read, SettingsError if a file lacks a column of the mapping.
    """
    for name in files:
        yield from _read_file(name, mapping, form or format_of(name))


def _read_file(name: str, mapping: ColumnMapping | None, form: Format) -> Iterator[Sourced]:
    if form == "csv" and mapping is None:
        raise SourceError(f"{name} is CSV: say which column is what with --mapping MAPPING.toml")
    checked = False
    for entry in read_entries(name, form, mapping.delimiter if mapping else ","):
        if entry.error is not None:
            yield Sourced(entry, None)
            continue
        value = entry.value
        try:
            if mapping is not None:
                if form == "csv" and not checked:
                    mapping.check_columns(list(value), name)
                    checked = True
                value = mapping.apply(value)
            now = time.time_ns() // 1_000_000
            yield Sourced(entry, capped(from_json(value, now), now))
        except ContractError as error:
            yield Sourced(replace(entry, error=error), None)
