"""A mapping file (TOML): which column of a foreign row is what of a touchpoint.

    source and other constants under [constants] · field = "column" under [columns] · type = "column" under
    [identifiers] · `attributes = ["column"]` · [lookup.FIELD] renames values · [time] says format and zone ·
    `derive_event_id = true` (or a list of columns) makes the event id from the row's content

See deploy/sources/examples/ecom.toml.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from schemas.errors import ContractError, Reason, SettingsError
from schemas.jsonform import FIELDS, to_ms
from schemas.keys import NAME_PATTERN
from schemas.toml_text import parse_toml

#: What a column or a constant can fill; the others have places of their own or no flat form.
MAPPABLE: Final = tuple(
    name for name in FIELDS if name not in ("identifiers", "attributes", "score", "consent", "experiments")
)
_TIMES: Final = ("occurred_at", "received_at")
_KEYS: Final = (
    "constants", "columns", "identifiers", "attributes", "lookup", "time", "derive_event_id", "delimiter",
)  # fmt: skip
_NUMBERS: Final[dict[str, Callable[[str], float]]] = {"amount_minor": int, "sentiment": float}


@dataclass(frozen=True)
class ColumnMapping:
    """A mapping file's content, checked."""

    constants: Mapping[str, Any]
    columns: Mapping[str, str]  #: field → column
    identifiers: Mapping[str, tuple[str, ...]]  #: identifier type → columns
    attributes: tuple[str, ...]
    lookups: Mapping[str, Mapping[str, str]]  #: field → value in the column → value in the touchpoint
    time_format: str  #: "iso", "epoch_ms", "epoch_s", or as datetime.strptime takes it
    zone: tzinfo  #: of times that do not name theirs
    derived_from: (
        tuple[str, ...] | None
    )  #: columns that make the event id; empty for all; None if one holds it
    delimiter: str

    def needed(self) -> set[str]:
        """The columns that rows must have."""
        listed = [column for columns in self.identifiers.values() for column in columns]
        return {*self.columns.values(), *listed, *self.attributes, *(self.derived_from or ())}

    def check_columns(self, present: Collection[str], origin: str) -> None:
        """Raise SettingsError if a row from file `origin` lacks a column that the mapping names."""
        for column in sorted(self.needed() - set(present)):
            likely = get_close_matches(column, present, n=1)
            hint = f"did you mean {likely[0]!r}?" if likely else f"it has {', '.join(present)}"
            raise SettingsError(
                f"the mapping names the column {column!r}, which {origin} does not have: {hint}"
            )

    def apply(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON form of the touchpoint in a row; empty cells left out. Raises ContractError."""
        result: dict[str, Any] = dict(self.constants)
        for field, column in self.columns.items():
            text = _cell(row, column)
            if text:
                result[field] = self._value(field, text)
        result["identifiers"] = [
            {"type": kind, "value": text}
            for kind, columns in self.identifiers.items()
            for column in columns
            if (text := _cell(row, column))
        ]
        result["attributes"] = {column: text for column in self.attributes if (text := _cell(row, column))}
        if self.derived_from is not None:
            result["event_id"] = self._derived_id(row)
        return result

    def _value(self, field: str, text: str) -> str | int | float:
        lookup = self.lookups.get(field)
        if lookup is not None:
            text = lookup.get(text, text)
        if field in _TIMES:
            return self._time(field, text)
        if field in _NUMBERS:
            try:
                return _NUMBERS[field](text)
            except ValueError:
                _reject(f"{field} is {text[:80]!r}: it must be a number")
        return text

    def _time(self, field: str, text: str) -> int:
        try:
            if self.time_format == "epoch_ms":
                return int(text)
            if self.time_format == "epoch_s":
                return round(float(text) * 1000)
            if self.time_format == "iso":
                moment = datetime.fromisoformat(text)
            else:
                moment = datetime.strptime(text, self.time_format)  # noqa: DTZ007 (zone set below)
        except (ValueError, OverflowError):
            _reject(f"{field} is {text[:80]!r}: the mapping's time format is {self.time_format!r}")
        return to_ms((moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).isoformat(), field)

    def _derived_id(self, row: Mapping[str, Any]) -> str:
        """BLAKE2b of the row's content in any order of columns: an exact duplicate has the same."""
        content = [(column, row.get(column)) for column in self.derived_from or sorted(row)]
        text = json.dumps([self.constants.get("source"), content], ensure_ascii=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def load_mapping(path: str) -> ColumnMapping:
    """Read and check a mapping file. Raises SettingsError naming the key and the fix."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the mapping {path} cannot be read: {error}") from error
    return parse_mapping(text, path)


def parse_mapping(text: str, origin: str) -> ColumnMapping:
    """Check the text of a mapping file. Raises SettingsError naming `origin`, the key and the fix."""
    return _Parser(parse_toml(text, origin), origin).mapping()


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        _reject(f"column {column!r} is not a plain value")
    return json.dumps(value)


def _reject(message: str) -> NoReturn:
    raise ContractError(Reason.INVALID, message)


class _Parser:
    def __init__(self, tables: dict[str, Any], origin: str) -> None:
        self.tables = tables
        self.origin = origin

    def mapping(self) -> ColumnMapping:
        for key in self.tables:
            if key not in _KEYS:
                self.fail(f"unknown key {key!r}", f"use {', '.join(_KEYS)}")
        mapping = ColumnMapping(
            constants=self.constants(),
            columns=self.texts("columns", MAPPABLE),
            identifiers=self.identifiers(),
            attributes=self.names("attributes", self.tables.get("attributes", [])),
            lookups=self.lookups(),
            time_format=self.time("format", "iso"),
            zone=self.zone(),
            derived_from=self.derived_from(),
            delimiter=self.delimiter(),
        )
        self.check_whole(mapping)
        return mapping

    def check_whole(self, mapping: ColumnMapping) -> None:
        for field in ("occurred_at", "source", "channel", "type"):
            if field not in mapping.columns and field not in mapping.constants:
                self.fail(f"nothing says what {field} is", f'add {field} = "column" under [columns]')
        if (mapping.derived_from is None) == ("event_id" not in mapping.columns):
            self.fail(
                "the event id must come from one place",
                'add event_id = "column" under [columns], or derive_event_id = true at the top, not both',
            )
        if not mapping.identifiers:
            self.fail(
                "no identifiers", 'add type = "column" under [identifiers], like customer_id = "user_id"'
            )

    def table(self, key: str) -> dict[str, Any]:
        value = self.tables.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"{key} is not a table", f"begin it with [{key}]")
        return value

    def texts(self, key: str, allowed: tuple[str, ...]) -> dict[str, str]:
        for name, value in self.table(key).items():
            if name not in allowed:
                likely = get_close_matches(name, allowed, n=1)
                self.fail(
                    f"{key}.{name} is unknown",
                    f"did you mean {likely[0]}?" if likely else f"use {', '.join(allowed)}",
                )
            if not isinstance(value, str) or not value:
                self.fail(f"{key}.{name} is not a column name", "write it as a text in quotes")
        return dict(self.table(key))

    def constants(self) -> dict[str, str]:
        fixed = tuple(name for name in MAPPABLE if name not in ("event_id", *_NUMBERS))
        constants = self.texts("constants", fixed)
        for name in constants:
            if name in self.table("columns"):
                self.fail(f"{name} stands under [constants] and [columns]", "keep one of them")
        return constants

    def identifiers(self) -> dict[str, tuple[str, ...]]:
        result = {}
        for kind, columns in self.table("identifiers").items():
            if not NAME_PATTERN.fullmatch(kind):
                self.fail(f"identifiers.{kind} is not an identifier type", "use 1 to 64 of A-Z a-z 0-9 _ . -")
            result[kind] = self.names(
                f"identifiers.{kind}", [columns] if isinstance(columns, str) else columns
            )
        return result

    def lookups(self) -> dict[str, dict[str, str]]:
        for field, values in self.table("lookup").items():
            if field not in self.table("columns"):
                self.fail(
                    f"lookup.{field} renames what no column fills", f'add {field} = "column" under [columns]'
                )
            if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
                self.fail(
                    f"lookup.{field} is not a table of texts",
                    f'begin it with [lookup.{field}], then "from" = "to"',
                )
        return dict(self.table("lookup"))

    def names(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
            self.fail(f"{key} is not a list of column names", f'write {key} = ["column", "column"]')
        return tuple(value)

    def time(self, key: str, default: str) -> str:
        value = self.table("time").get(key, default)
        if not isinstance(value, str) or self.table("time").keys() - {"format", "zone"}:
            self.fail("[time] takes format and zone", 'write format = "iso" and zone = "UTC"')
        if key == "format" and value not in ("iso", "epoch_ms", "epoch_s") and "%" not in value:
            self.fail(
                f"time.format is {value!r}", "use iso, epoch_ms, epoch_s or a pattern like %d.%m.%Y %H:%M"
            )
        return value

    def zone(self) -> tzinfo:
        name = self.time("zone", "UTC")
        if name == "UTC":
            return UTC
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, KeyError):
            self.fail(f"time.zone is {name!r}", "use a name like Europe/Berlin")

    def derived_from(self) -> tuple[str, ...] | None:
        value = self.tables.get("derive_event_id", False)
        if isinstance(value, bool):
            return () if value else None
        columns = self.names("derive_event_id", value)
        if not columns:
            self.fail("derive_event_id is an empty list", "write true for all columns")
        return columns

    def delimiter(self) -> str:
        value = self.tables.get("delimiter", ",")
        if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
            self.fail(f"delimiter is {value!r}", 'use one character, like ";"')
        return value

    def fail(self, what: str, fix: str) -> NoReturn:
        raise SettingsError(f"the mapping {self.origin}: {what}: {fix}")
