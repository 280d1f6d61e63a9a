"""Maps a row of another system to a touchpoint, column by column. docs/mappings.md explains every key."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from deploy.ingest.mapping.cells import (
    ABSENT,
    Amounts,
    Times,
    find,
    invalid,
    number,
    text_of,
    whole,
    whole_text,
)
from deploy.ingest.reading.files import Layout
from schemas.errors import ContractError, SettingsError
from schemas.touchpoint.strict_json import parse_json

TIMES: Final = ("occurred_at", "received_at")
NUMBERS: Final[dict[str, Callable[[str, str], float]]] = {"amount_minor": whole, "sentiment": number}
#: In major units, like 19.99; becomes amount_minor.
AMOUNT: Final = "amount"
#: Stands for a number in the columns of events that a row repeats.
NUMBERED: Final = "{n}"

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class SurveyColumns:
    """The columns of a survey's answer."""

    value: str  #: column
    kind: str | None  #: column
    fixed_kind: str | None


@dataclass(frozen=True)
class ColumnMapping:
    """A mapping file's content, checked. A column may be a path into nested JSON, like user.id."""

    constants: Mapping[str, Any]
    columns: Mapping[
        str, tuple[str, ...]
    ]  #: field → column; for a time also the columns of its date and its hour
    identifiers: Mapping[str, tuple[str, ...]]  #: identifier type → columns
    attributes: Mapping[str, str] = field(default_factory=dict)  #: attribute → column
    consent: Mapping[str, str] = field(default_factory=dict)  #: purpose → column
    experiments: Mapping[str, str] = field(default_factory=dict)  #: experiment → column
    score: SurveyColumns | None = None
    lookups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  #: field → value → what it becomes
    times: Times = field(default_factory=Times)
    amounts: Amounts = field(default_factory=Amounts)
    whole_numbers: frozenset[str] = frozenset()  #: columns in which 123.0 is 123
    #: columns that make the event id; empty for all; None if one holds it
    derived_from: tuple[str, ...] | None = None
    layout: Layout = field(default_factory=Layout)
    first_of: frozenset[str] = (
        frozenset()
    )  #: fields of which the first of their columns that is filled counts
    empty: frozenset[str] = frozenset()  #: what stands in a cell that is empty
    optional: frozenset[str] = frozenset()  #: columns that a file need not have
    json_columns: tuple[str, ...] = ()  #: whose cells are JSON texts
    emails_as: str = (
        ""  #: type of an identifier that is an e-mail address, whatever its column's; "": its own
    )

    def required(self) -> set[str]:
        """The columns of required fields and of identifiers."""
        fields = ("event_id", "occurred_at", "source", "channel", "type")
        named = [column for name in fields for column in self.columns.get(name, ())]
        listed = [column for columns in self.identifiers.values() for column in columns]
        return self._not_optional({*named, *listed, *(self.derived_from or ())})

    def needed(self) -> set[str]:
        """All columns that the mapping names and a file must have."""
        return self.required() | self._not_optional(self.named())

    def named(self) -> set[str]:
        """All columns that the mapping names."""
        named = [column for columns in self.columns.values() for column in columns]
        listed = [column for columns in self.identifiers.values() for column in columns]
        maps = [*self.attributes.values(), *self.consent.values(), *self.experiments.values()]
        answer = [column for column in (self.score.value, self.score.kind) if column] if self.score else []
        return {*named, *listed, *maps, *answer, *self.whole_numbers, *(self.derived_from or ())}

    def _not_optional(self, columns: set[str]) -> set[str]:
        spare = {column for name in self.first_of for column in self.columns.get(name, ())}
        return {one for one in columns - spare - self.optional if NUMBERED not in one}

    def check_columns(self, present: Collection[str], origin: str, needed: set[str] | None = None) -> None:
        """Raise SettingsError if a row from CSV file `origin` lacks a column of `needed` (else of self.needed()).

        A path into a column with JSON texts needs that column.
        """
        paths = tuple(f"{column}." for column in self.json_columns)
        lacking = (self.needed() if needed is None else needed) - set(present)
        for column in sorted(one for one in lacking if not one.startswith(paths or "\0")):
            likely = get_close_matches(column, present, n=1)
            hint = f"did you mean {likely[0]!r}?" if likely else f"it has {', '.join(present)}"
            raise SettingsError(
                f"the mapping names the column {column!r}, which {origin} does not have: {hint}"
            )

    def apply(self, row: object) -> dict[str, Any]:
        """The JSON form of the touchpoint in a row; empty cells left out. Raises ContractError."""
        return self.touchpoint(self.opened(row))

    def touchpoint(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The same for a row that is opened. Raises ContractError."""
        result: dict[str, Any] = dict(self.constants)
        for name, columns in self.columns.items():
            text = self._text(name, self._joined(name, columns, row))
            if text:
                result[name] = self._value(name, text)
        if AMOUNT in result:
            result["amount_minor"] = self.amounts.minor(result.pop(AMOUNT), result.get("currency"))
        result["identifiers"] = [
            {"type": self.emails_as if self.emails_as and _EMAIL.fullmatch(text) else kind, "value": text}
            for kind, columns in self.identifiers.items()
            for column in columns
            if (text := self.cell(row, column))
        ]
        for name, table in (
            ("attributes", self.attributes), ("consent", self.consent), ("experiments", self.experiments),
        ):  # fmt: skip
            filled = {key: self._text(name, self.cell(row, column)) for key, column in table.items()}
            result[name] = {key: text for key, text in filled.items() if text}
        if self.score is not None:
            result["score"] = self._answer(self.score, row)
        if self.derived_from is not None:
            result["event_id"] = self.derived_id(row)
        return result

    def opened(self, row: object) -> Mapping[str, Any]:
        """The row with its JSON texts read. Raises ContractError."""
        if not isinstance(row, Mapping):
            raise invalid("a row is a JSON object")
        texts = {column: row[column] for column in self.json_columns if isinstance(row.get(column), str)}
        if not texts:
            return row
        return {**row, **{column: self._parsed(column, text) for column, text in texts.items()}}

    def cell(self, row: Mapping[str, Any], column: str) -> str:
        """The text of a cell, empty if there is none. Raises ContractError for an object or a list."""
        text = text_of(find(row, column), column)
        if self.layout.trim:
            text = text.strip()
        if text in self.empty:
            return ""
        return whole_text(text, column) if column in self.whole_numbers else text

    def _parsed(self, column: str, text: str) -> Any:
        try:
            return parse_json(text, exact=True) if text.strip() else None
        except ContractError as error:
            raise ContractError(error.reason, f"column {column!r} is {error}") from error

    def _joined(self, name: str, columns: tuple[str, ...], row: Mapping[str, Any]) -> str:
        cells = [self.cell(row, column) for column in columns]
        if name in self.first_of:
            return next(filter(None, cells), "")
        if any(cells) and not all(cells):
            empty = columns[cells.index("")]
            raise invalid(f"{name} lacks a part: column {empty!r} is empty")
        return " ".join(cells) if any(cells) else ""

    def _text(self, name: str, text: str) -> str:
        lookup = self.lookups.get(name)
        return text if lookup is None else lookup.get(text, text)

    def _value(self, name: str, text: str) -> str | int | float:
        if name in TIMES:
            return self.times.ms(text, name)
        return NUMBERS[name](text, name) if name in NUMBERS else text

    def _answer(self, score: SurveyColumns, row: Mapping[str, Any]) -> dict[str, Any] | None:
        text = self.cell(row, score.value)
        if not text:
            return None
        kind = score.fixed_kind or self._text("score", self.cell(row, score.kind or ""))
        return {"kind": kind, "value": number(text, "score.value")}

    def derived_id(self, row: Mapping[str, Any]) -> str:
        """BLAKE2b of the row's content in any order of columns: an exact duplicate has the same."""
        content = [(column, self._content(find(row, column))) for column in self.derived_from or sorted(row)]
        text = json.dumps([self.constants.get("source"), content], ensure_ascii=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _content(self, value: Any) -> Any:
        if value is ABSENT:
            return None
        return value.strip() if isinstance(value, str) and self.layout.trim else value
