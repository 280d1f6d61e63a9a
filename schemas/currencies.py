"""ISO 4217: how many decimal places a currency's minor unit is."""

from functools import lru_cache

from iso4217 import Currency


@lru_cache(maxsize=512)
def minor_units(currency: str) -> int | None:
    """The exponent of a currency's minor unit: 2 for EUR (cents), 0 for JPY, 3 for KWD.

    None for what ISO 4217 does not list today, and for what has no minor unit there (XAU, gold). A currency that
    was withdrawn is no longer listed.
    """
    try:
        exponent: int | None = Currency(currency).exponent
    except ValueError:
        return None
    return exponent
