"""Amounts of money in major units, as SDKs send them, in minor units."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

from schemas import currencies
from schemas.touchpoint.rules import MAX_AMOUNT_MINOR

_CODE: Final = re.compile(r"[A-Za-z]{3}")


def minor_units(amount: Any, currency: Any) -> tuple[int, str] | None:
    """The amount in minor units and its currency; None if one of them is missing or not what it should be.

    `amount` is a number or a text like "12.99"; what is below the minor unit is rounded half to even. A currency
    that ISO 4217 does not list has no known minor unit, and so no amount. Nor is what the contract would refuse one.
    """
    if not isinstance(currency, str) or not _CODE.fullmatch(currency):
        return None
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str)):
        return None
    code = currency.upper()
    digits = currencies.minor_units(code)
    if digits is None:
        return None
    try:
        value = Decimal(str(amount).strip())
        if not value.is_finite() or value.adjusted() > 18:
            return None
        minor = int(value.scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError):
        return None
    return (minor, code) if abs(minor) <= MAX_AMOUNT_MINOR else None
