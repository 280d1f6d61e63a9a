"""Minor units are ISO 4217's, not what a locale shows."""

import pytest

from schemas.currencies import minor_units


@pytest.mark.parametrize(
    ("currency", "exponent"),
    [
        ("EUR", 2), ("USD", 2), ("HUF", 2), ("JPY", 0), ("ISK", 0), ("RWF", 0), ("KWD", 3), ("IQD", 3), ("TND", 3),
        ("CLF", 4), ("UYW", 4),
    ],
)  # fmt: skip
def test_the_minor_unit_is_the_one_of_iso_4217(currency: str, exponent: int) -> None:
    assert minor_units(currency) == exponent


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "ZZZ", "XAU", "XXX", "\ud83d", "EUR "])
def test_what_is_no_currency_with_a_minor_unit_has_none(currency: str) -> None:
    assert minor_units(currency) is None
