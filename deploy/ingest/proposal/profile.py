"""What stands in each column of a sample of rows: the names of nested columns too, and the kinds of values."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from deploy.ingest.mapping.cells import text_of
from schemas.errors import ContractError
from schemas.touchpoint.json_form import parse_iso

#: Texts of a column that are kept.
KEPT_TEXTS: Final = 500
#: The share of a column's texts that shows what the column is: a few odd cells do not hide it.
_MOST: Final = 0.8
#: How deep columns are looked for in nested JSON.
_DEPTH: Final = 4

#: How times may be written, with the pattern that a mapping has for it; the first that fits all texts is meant.
TIME_PATTERNS: Final = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%m/%d/%y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%Y%m%d%H%M%S", "%d-%b-%Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S %z",
)  # fmt: skip
#: Format → what a time from 1990 to 2100 is in it.
_EPOCHS: Final = {
    "epoch_s": (631_152_000, 4_102_444_800), "epoch_ms": (631_152_000_000, 4_102_444_800_000),
    "epoch_us": (631_152_000_000_000, 4_102_444_800_000_000),
    "epoch_ns": (631_152_000_000_000_000, 4_102_444_800_000_000_000),
}  # fmt: skip
_NUMBER: Final = re.compile(r"[+-]?([0-9]+([.,][0-9]*)*|[.,][0-9]+)")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"(tel:)?\+[0-9][0-9 ()/.-]{6,20}")


@dataclass
class Column:
    """One column of the sample."""

    name: str
    rows: int = 0  #: that have it filled
    texts: list[str] = field(default_factory=list)  #: of the first rows that do
    all_different: bool = True
    _seen: set[str] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Take one filled cell."""
        self.rows += 1
        self.all_different = self.all_different and text not in self._seen
        self._seen.add(text)
        if len(self.texts) < KEPT_TEXTS:
            self.texts.append(text)

    @property
    def distinct(self) -> list[str]:
        """The different texts, in order."""
        return sorted(self._seen)

    def time_format(self) -> str | None:
        """How most of its times are written; None if they are no times."""
        for form, bounds in _EPOCHS.items():
            if self._most(partial(_is_epoch, bounds)):
                return form
        if self._most(lambda one: _fits(one, None)):
            return "iso"
        return self._pattern()

    def _pattern(self) -> str | None:
        """The pattern that the most texts fit, if they are most of all: 01/02/2026 fits two."""
        counts = {form: sum(_fits(one, form) for one in self.texts) for form in TIME_PATTERNS}
        best = max(counts, key=lambda form: counts[form])
        return best if self.texts and counts[best] >= _MOST * len(self.texts) else None

    def names_zone(self) -> bool:
        """Whether each of its ISO times says its zone."""
        return all(parse_iso(one).tzinfo is not None for one in self.texts if _fits(one, None))

    def is_emails(self) -> bool:
        """Whether most texts are e-mail addresses."""
        return self._most(_EMAIL.fullmatch)

    def is_phones(self) -> bool:
        """Whether most texts are phone numbers with a country code."""
        return self._most(_PHONE.fullmatch)

    def is_numbers(self) -> bool:
        """Whether most texts are numbers."""
        return self._most(_NUMBER.fullmatch)

    def became_float(self) -> bool:
        """Whether whole numbers were written with a point, as spreadsheets and pandas do."""
        return bool(self.texts) and all(re.fullmatch(r"[0-9]+\.0", one) for one in self.texts)

    def _most(self, fits: Callable[[str], object]) -> bool:
        return bool(self.texts) and sum(bool(fits(one)) for one in self.texts) >= _MOST * len(self.texts)


@dataclass
class Profile:
    """The columns of a sample, in the order in which they came."""

    rows: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    unnamed: bool = False  #: whether a row has a column without a name, which is left out


def profile(rows: Iterable[object], empty: frozenset[str] = frozenset()) -> Profile:
    """Look at rows; what is no object is left out, and texts of `empty` count as empty cells."""
    found = Profile()
    for row in rows:
        if isinstance(row, Mapping):
            found.rows += 1
            found.unnamed = found.unnamed or "" in row
            _add(found.columns, {name: row[name] for name in row if name != ""}, "", empty)
    return found


def _add(
    columns: dict[str, Column], row: Mapping[str, Any], prefix: str, empty: frozenset[str], depth: int = 0
) -> None:
    for name, value in row.items():
        path = prefix + str(name)
        if isinstance(value, Mapping):
            if depth < _DEPTH:
                _add(columns, value, f"{path}.", empty, depth + 1)
        elif isinstance(value, list):
            _add_pairs(columns, value, path, empty)
        else:
            column = columns.setdefault(path, Column(path))
            try:
                text = text_of(value, path).strip()
            except ContractError:  # a value of another kind is no column
                continue
            if text and text not in empty:
                column.add(text)


def _add_pairs(columns: dict[str, Column], pairs: list[Any], path: str, empty: frozenset[str]) -> None:
    """The members of a list of {"key", "value"}."""
    for pair in pairs:
        if isinstance(pair, Mapping) and isinstance(pair.get("key"), str):
            value = pair.get("value")
            if isinstance(value, Mapping):
                value = next((one for one in value.values() if one is not None), None)
            if not isinstance(value, (Mapping, list)):
                _add(columns, {pair["key"]: value}, f"{path}.", empty, _DEPTH)


def _is_epoch(bounds: tuple[int, int], text: str) -> bool:
    low, high = bounds
    return bool(re.fullmatch(r"[0-9]{9,19}(\.[0-9]+)?", text)) and low <= float(text) <= high


def _fits(text: str, pattern: str | None) -> bool:
    try:
        if pattern is None:
            parse_iso(text)
        else:
            datetime.strptime(text, pattern)  # noqa: DTZ007 (only whether it fits)
    except (ValueError, OverflowError):
        return False
    return True
