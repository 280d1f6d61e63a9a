"""Checks the tables of a mapping file. Every error is one sentence that names the key and the fix."""

import codecs
from collections.abc import Collection
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

from deploy.ingest.mapping.cells import EPOCHS, Amounts, Times, is_pattern
from deploy.ingest.mapping.columns import AMOUNT, NUMBERS, TIMES, ColumnMapping, SurveyColumns
from deploy.ingest.reading.files import Layout
from deploy.ingest.reading.lines import is_encoding
from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.toml_text import is_number, is_texts
from schemas.touchpoint.json_form import FIELDS
from schemas.touchpoint.rules import SCORE_RANGE

#: Fields with tables of their own.
_TABLES: Final = ("identifiers", "attributes", "score", "consent", "experiments")
#: What a column can fill.
MAPPABLE: Final = (*(name for name in FIELDS if name not in _TABLES), AMOUNT)
_CONSTANT: Final = tuple(name for name in MAPPABLE if name not in ("event_id", AMOUNT, *NUMBERS))
KEYS: Final = (
    "constants", "columns", "identifiers", "attributes", "consent", "experiments", "score", "lookup", "time", "amount",
    "whole_numbers", "empty", "optional", "emails_as", "json_columns", "derive_event_id", "delimiter", "encoding",
    "trim", "header", "quotes", "when", "unless", "events", "change", "messages",
)  # fmt: skip
_LOOKED_UP_TABLES: Final = ("consent", "experiments")


class MappingTables:
    """The tables of a mapping file, or of one of its events; every method raises SettingsError naming the key."""

    def __init__(self, tables: dict[str, Any], origin: str) -> None:
        self.tables = tables
        self.origin = origin

    def mapping(self) -> ColumnMapping:
        """How columns are read; whether all is there is `check_whole`'s to say."""
        return ColumnMapping(
            constants=self.constants(),
            columns=self.columns(),
            identifiers=self.identifiers(),
            attributes=self.attributes(),
            consent=self.texts("consent"),
            experiments=self.texts("experiments"),
            score=self.score(),
            lookups=self.lookups(),
            times=self.times(),
            amounts=self.amounts(),
            whole_numbers=frozenset(self.listed("whole_numbers")),
            derived_from=self.derived_from(),
            layout=self.layout(),
            first_of=frozenset(
                name for name, value in self.table("columns").items() if isinstance(value, dict)
            ),
            empty=frozenset(self.listed("empty")),
            optional=frozenset(self.listed("optional")),
            json_columns=self.listed("json_columns"),
            emails_as=self.emails_as(),
        )

    def check_whole(self, mapping: ColumnMapping) -> None:
        """Refuse a mapping that makes no touchpoint."""
        for field in ("occurred_at", "source", "channel", "type"):
            if field not in mapping.columns and field not in mapping.constants:
                self.fail(f"nothing says what {field} is", f'add {field} = "column" under [columns]')
        self.check_event_id()
        if not mapping.identifiers:
            self.fail(
                "no identifiers", 'add type = "column" under [identifiers], like customer_id = "user_id"'
            )
        if AMOUNT in mapping.columns:
            if "amount_minor" in mapping.columns:
                self.fail("amount and amount_minor both stand under [columns]", "keep one of them")
            if "currency" not in mapping.columns and "currency" not in mapping.constants:
                self.fail("amount has no currency", 'add currency = "EUR" under [constants], or its column')
        elif "amount" in self.tables:
            self.fail("[amount] says how amount is written", 'add amount = "column" under [columns]')

    def check_event_id(self) -> None:
        """Refuse a mapping without an event id, or with two."""
        if (self.derived_from() is None) == ("event_id" not in self.table("columns")):
            self.fail(
                "the event id must come from one place",
                'add event_id = "column" under [columns], or derive_event_id = true at the top, not both',
            )

    def only(self, where: str, table: dict[str, Any], allowed: Collection[str]) -> None:
        """Refuse a key of a table that is not allowed; `where` names the table, "" the top."""
        for name in table:
            if name not in allowed:
                likely = get_close_matches(name, allowed, n=1)
                what = f"{where}.{name} is unknown" if where else f"unknown key {name!r}"
                self.fail(what, f"did you mean {likely[0]}?" if likely else f"use {', '.join(allowed)}")

    def table(self, key: str) -> dict[str, Any]:
        """The table under a key, empty if there is none."""
        value = self.tables.get(key, {})
        if not isinstance(value, dict):
            self.fail(f"{key} is not a table", f"begin it with [{key}]")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """The same, if all its values are texts."""
        for name, value in self.table(key).items():
            self.text(f"{key}.{name}", value)
        return dict(self.table(key))

    def text(self, key: str, value: object) -> str:
        """A value that must be a column name; `key` is for errors."""
        if not isinstance(value, str) or not value:
            self.fail(f"{key} is not a column name", "write it as a text in quotes")
        return value

    def constants(self) -> dict[str, str]:
        """Field → text."""
        self.only("constants", self.table("constants"), _CONSTANT)
        constants = self.texts("constants")
        for name in constants:
            if name in self.table("columns"):
                self.fail(f"{name} stands under [constants] and [columns]", "keep one of them")
        return constants

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Field → columns."""
        columns = self.table("columns")
        self.only("columns", columns, MAPPABLE)
        return {name: self._columns_of(name, value) for name, value in columns.items()}

    def _columns_of(self, name: str, value: object) -> tuple[str, ...]:
        if isinstance(value, dict):
            if value.keys() != {"first"} or not value["first"]:
                self.fail(f"columns.{name} is a table", 'write { first = ["column", "column"] }')
            return self.names(f"columns.{name}.first", value["first"])
        if name in TIMES and isinstance(value, list) and value:
            return self.names(f"columns.{name}", value)
        return (self.text(f"columns.{name}", value),)

    def listed(self, key: str) -> tuple[str, ...]:
        """The column names listed under a key at the top."""
        return self.names(key, self.tables.get(key, []))

    def emails_as(self) -> str:
        """Identifier type of e-mail addresses, or ""."""
        value = self.tables.get("emails_as", "")
        if not isinstance(value, str) or (value and not NAME_PATTERN.fullmatch(value)):
            self.fail(f"emails_as is {value!r}", 'name an identifier type, like "email"')
        return value

    def identifiers(self) -> dict[str, tuple[str, ...]]:
        """Identifier type → columns."""
        result = {}
        for kind, columns in self.table("identifiers").items():
            if not NAME_PATTERN.fullmatch(kind):
                self.fail(f"identifiers.{kind} is not an identifier type", "use 1 to 64 of A-Z a-z 0-9 _ . -")
            result[kind] = self.names(
                f"identifiers.{kind}", [columns] if isinstance(columns, str) else columns
            )
        return result

    def attributes(self) -> dict[str, str]:
        """Attribute → column."""
        value = self.tables.get("attributes", [])
        if isinstance(value, dict):
            return self.texts("attributes")
        return {name: name for name in self.names("attributes", value)}

    def score(self) -> SurveyColumns | None:
        """The columns of a survey's answer."""
        if "score" not in self.tables:
            return None
        table = self.table("score")
        self.only("score", table, ("value", "kind", "kind_column"))
        if "value" not in table or ("kind" in table) == ("kind_column" in table):
            self.fail(
                "[score] is not whole", 'write value = "column", and kind = "nps" or kind_column = "column"'
            )
        fixed = table.get("kind")
        if fixed is not None and str(fixed).upper() not in SCORE_RANGE:
            self.fail(f"score.kind is {fixed!r}", f"use {', '.join(SCORE_RANGE).lower()}")
        column = self.text("score.kind_column", table["kind_column"]) if fixed is None else None
        return SurveyColumns(self.text("score.value", table["value"]), column, fixed)

    def lookups(self) -> dict[str, dict[str, str]]:
        """Field → value → what it becomes."""
        for field, values in self.table("lookup").items():
            known = field in self.table("columns") or (
                bool(self.tables.get(field))
                if field in _LOOKED_UP_TABLES
                else field == "score" and "kind_column" in self.table("score")
            )
            if not known:
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
        """A value that must be a list of column names; `key` is for errors."""
        if not is_texts(value, empty=False):
            self.fail(f"{key} is not a list of column names", f'write {key} = ["column", "column"]')
        return tuple(value)

    def times(self) -> Times:
        """How times are written."""
        table = self.table("time")
        self.only("time", table, ("format", "zone", "repeated_hour"))
        formats = table.get("format", "iso")
        if isinstance(formats, str):
            formats = [formats]
        if not isinstance(formats, list) or not formats:
            self.fail("time.format is no text", 'write format = "iso", or a list of formats to try in turn')
        for form in formats:
            if form != "iso" and form not in EPOCHS and not is_pattern(form):
                known = ", ".join(("iso", *EPOCHS))
                self.fail(f"time.format is {form!r}", f"use {known} or a pattern like %d.%m.%Y %H:%M")
        if len([form for form in formats if form in EPOCHS]) > 1:
            self.fail("time.format lists two units of the epoch", "keep one: no cell tells which it is")
        hour = table.get("repeated_hour", "first")
        if hour not in ("first", "second"):
            self.fail(f"time.repeated_hour is {hour!r}", 'use "first" or "second"')
        return Times(tuple(formats), self.zone(table.get("zone", "UTC")), hour)

    def zone(self, name: object) -> tzinfo:
        """A time zone by its name."""
        if name == "UTC":
            return UTC
        try:
            return ZoneInfo(name)  # type: ignore[arg-type]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.fail(f"time.zone is {name!r}", "use a name like Europe/Berlin")

    def amounts(self) -> Amounts:
        """How amounts are written."""
        table = self.table("amount")
        self.only("amount", table, ("decimal", "thousands", "minor_units", "round"))
        point, groups, units = table.get("decimal", "."), table.get("thousands", ""), table.get("minor_units")
        if point not in (".", ","):
            self.fail(f"amount.decimal is {point!r}", 'use "." or ","')
        if groups not in ("", ".", ",", " ", "'", "\u2019", "\xa0", "\u202f") or groups == point:
            self.fail(
                f"amount.thousands is {groups!r}", "use one of . , ' and space, not the same as decimal"
            )
        if units is not None and not is_number(units, 0, 9, whole=True):
            self.fail(f"amount.minor_units is {units!r}", "use a whole number from 0 to 9")
        rounded = table.get("round", False)
        if not isinstance(rounded, bool):
            self.fail(f"amount.round is {rounded!r}", "write true, or false to reject further decimal places")
        return Amounts(point, groups, units, rounded)

    def derived_from(self) -> tuple[str, ...] | None:
        """The columns that make the event id: empty for all, None if a column holds it."""
        value = self.tables.get("derive_event_id", False)
        if isinstance(value, bool):
            return () if value else None
        columns = self.names("derive_event_id", value)
        if not columns:
            self.fail("derive_event_id is an empty list", "write true for all columns")
        return columns

    def layout(self) -> Layout:
        """How the file is written."""
        delimiter = self.tables.get("delimiter", "")
        if "delimiter" in self.tables and (
            not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n'
        ):
            self.fail(f"delimiter is {delimiter!r}", 'use one character, like ";"')
        trim, quotes = self.tables.get("trim", True), self.tables.get("quotes", True)
        if not isinstance(trim, bool):
            self.fail(f"trim is {trim!r}", "write true, or false to keep white space around cells")
        if not isinstance(quotes, bool):
            self.fail(f"quotes is {quotes!r}", "write true, or false if a quote is a character like others")
        header = self.listed("header")
        if len(set(header)) != len(header):
            self.fail("header names a column twice", "name each column of the file once")
        encoding = self.tables.get("encoding", "utf-8")
        if not isinstance(encoding, str) or not is_encoding(encoding):
            self.fail(f"encoding is {encoding!r}", "use a name like utf-8, windows-1252 or utf-16")
        return Layout(delimiter, codecs.lookup(encoding).name, trim, exact=True, header=header, quotes=quotes)

    def fail(self, what: str, fix: str) -> NoReturn:
        """Raise SettingsError: what is wrong, and what to do."""
        raise SettingsError(f"the mapping {self.origin}: {what}: {fix}")
