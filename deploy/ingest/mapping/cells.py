"""Parses a row's cells: texts, times, amounts and numbers, exactly or not at all (ContractError with a sentence)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final, Literal

from schemas.currencies import minor_units
from schemas.errors import ContractError, Reason
from schemas.touchpoint.json_form import ms_of, parse_iso
from schemas.touchpoint.strict_json import shown

#: Where a row has no such column.
ABSENT: Final = object()
#: Format → the power of ten that makes milliseconds of it.
EPOCHS: Final = {"epoch_s": 3, "epoch_ms": 0, "epoch_us": -3, "epoch_ns": -6}

#: Numbers may begin or end with their point, as spreadsheets write them: .5 and 1.
_EPOCH: Final = re.compile(r"[+-]?([0-9]{1,19}(\.[0-9]{0,9})?|\.[0-9]{1,9})")
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]{1,15}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")
_WRITTEN_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_FLOAT_LIKE: Final = re.compile(r"([+-]?)([0-9]+)\.0*|[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
#: From here on a double does not hold every whole number.
_EXACT_BELOW: Final = 2**53


def find(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of a path like `user.id` or `items.0.sku` into it; ABSENT if there is none.

    A list of {"key", "value"} is read like an object.
    """
    if column in row:
        return row[column]
    value: Any = row
    for step in column.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)] if int(step) < len(value) else ABSENT
        elif isinstance(value, list):
            value = _of_pairs(value, step)
        else:
            return ABSENT
    return value


def _of_pairs(pairs: list[Any], name: str) -> Any:
    """The value of `name` in a list of {"key", "value"}, which is how BigQuery exports a map."""
    for pair in pairs:
        if isinstance(pair, Mapping) and pair.get("key") == name:
            value = pair.get("value")
            if isinstance(value, Mapping) and value and all(key.endswith("_value") for key in value):
                return next((one for one in value.values() if one is not None), None)
            return value
    return ABSENT


def text_of(value: Any, column: str) -> str:
    """A plain value as text; empty for null and for what is absent. Raises ContractError for objects and lists."""
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    raise invalid(f"column {column!r} is not a plain value")


def whole_text(text: str, column: str) -> str:
    """`123.0` as `123`; what is no number stays. Raises ContractError where digits are lost."""
    found = _FLOAT_LIKE.fullmatch(text)
    if found is None or _WRITTEN_WHOLE.fullmatch(text):
        return text
    if found[2] is None or int(found[2][:20]) >= _EXACT_BELOW:
        raise invalid(
            f"column {column!r} holds {shown(text)!r}, of which digits are lost: export it as text"
            " (it stands under whole_numbers)"
        )
    return found[1] + found[2]


@dataclass(frozen=True)
class Times:
    """How times are written."""

    formats: tuple[str, ...] = ("iso",)  #: tried in this order: "iso", one of EPOCHS, or as strptime takes it
    zone: tzinfo = UTC  #: of times that name none
    repeated_hour: Literal["first", "second"] = (
        "first"  #: which of the two is meant in an hour that the zone repeats
    )

    def ms(self, text: str, field: str) -> int:
        """UTC milliseconds, rounded down. Raises ContractError if no format fits."""
        for form in self.formats:
            try:
                if form in EPOCHS:
                    if _EPOCH.fullmatch(text):
                        return _epoch_ms(text, EPOCHS[form])
                    continue
                moment = parse_iso(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
                return ms_of(moment.replace(fold=int(self.repeated_hour == "second")), self.zone)
            except (ValueError, OverflowError):
                continue
        formats = " or ".join(map(repr, self.formats))
        raise invalid(f"{field} is {text[:80]!r}: the mapping's time format is {formats}")


@dataclass(frozen=True)
class Amounts:
    """How amounts in major units are written."""

    decimal: str = "."
    thousands: str = ""  #: between groups of three digits
    minor_units: int | None = None  #: decimal places of the currency; None: as ISO 4217 says
    rounded: bool = False  #: whether further decimal places are rounded, half away from zero

    def minor(self, text: str, currency: str | None) -> int:
        """The amount in minor units, exactly. Raises ContractError if that is not possible."""
        if not currency:
            raise invalid("amount has no currency")
        places = minor_units(currency) if self.minor_units is None else self.minor_units
        if places is None:
            raise invalid(
                f"amount is in {shown(currency)!r}, which is no currency of ISO 4217 with a minor unit:"
                " say minor_units under [amount]"
            )
        whole = r"[0-9]{1,18}"
        if self.thousands:
            whole = rf"[0-9]{{1,3}}(?:{re.escape(self.thousands)}[0-9]{{3}}){{1,5}}|{whole}"
        found = re.fullmatch(rf"([+-]?)({whole})?(?:{re.escape(self.decimal)}([0-9]*))?", text)
        if found is None or not (found[2] or found[3]):
            raise invalid(f"amount is {text[:80]!r}: it must be a number like 1299{self.decimal}90")
        rest, up = (found[3] or "").rstrip("0"), 0
        if len(rest) > places:
            if not self.rounded:
                raise invalid(f"amount is {text[:80]!r}: {currency} has {places} decimal places")
            rest, up = rest[:places], int(rest[places] >= "5")
        digits = (found[2] or "0").replace(self.thousands, "") if self.thousands else found[2] or "0"
        amount = int(digits + rest.ljust(places, "0")) + up
        return -amount if found[1] == "-" else amount


def whole(text: str, field: str) -> int:
    """A whole number. Raises ContractError."""
    if not _WHOLE.fullmatch(text):
        raise invalid(f"{field} is {text[:80]!r}: it must be a whole number")
    return int(text)


def number(text: str, field: str) -> float:
    """A number. Raises ContractError."""
    if not _NUMBER.fullmatch(text):
        raise invalid(f"{field} is {text[:80]!r}: it must be a number")
    return float(text)


def is_pattern(form: object) -> bool:
    """Whether strptime can read what strftime writes with it."""
    if not isinstance(form, str) or "%" not in form:
        return False
    sample = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(form), form)  # noqa: DTZ007 (only whether it can be read)
    except (ValueError, TypeError):
        return False
    return True


def invalid(message: str) -> ContractError:
    """The error of a row that cannot be mapped."""
    return ContractError(Reason.INVALID, message)


def _epoch_ms(text: str, power: int) -> int:
    # 19 digits and 9 behind the point are exact in a Decimal of 28
    return int(Decimal(text).scaleb(power).to_integral_value(ROUND_FLOOR))
