"""Amounts of money in major units, as SDKs send them, in minor units."""

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, Final

#: ISO 4217: currencies whose minor unit is not a hundredth.
_DIGITS: Final = {
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
         "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}  # fmt: skip
_CODE: Final = re.compile(r"[A-Za-z]{3}")
_LARGEST: Final = 2**63 - 1


def minor_units(amount: Any, currency: Any) -> tuple[int, str] | None:
    """The amount in minor units and its currency; None if one of them is missing or not what it should be.

    `amount` is a number or a text like "12.99"; what is below the minor unit is rounded half to even.
    """
    if not isinstance(currency, str) or not _CODE.fullmatch(currency):
        return None
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str)):
        return None
    code = currency.upper()
    try:
        value = Decimal(str(amount).strip())
        if not value.is_finite() or value.adjusted() > 18:
            return None
        minor = int(value.scaleb(_DIGITS.get(code, 2)).quantize(Decimal(1), ROUND_HALF_EVEN))
    except (InvalidOperation, ValueError):
        return None
    return (minor, code) if abs(minor) <= _LARGEST else None
