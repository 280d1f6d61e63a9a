"""Cells: what a person reads, and the bare value beside it."""

from datetime import UTC, datetime

import pytest

from sinks.page.panels import Column
from sinks.page.words import cell, identifier, link

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
EARLIER = datetime(2025, 12, 31, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "text", "bare"),
    [
        ("number", 1234567, "1,234,567", "1234567"),
        ("decimal", 0.456, "0.46", "0.456"),
        ("percent", 0.1234, "12.3 %", "0.1234"),
        ("span", 90, "1 min", "90"),
        ("money", 12345, "123.45 EUR", "12345"),
        ("text", "", "none", ""),
        ("text", None, "\N{EN DASH}", ""),
        ("number", None, "\N{EN DASH}", ""),
        ("list", ["web", "app"], "web, app", "web|app"),
        ("list", [], "\N{EN DASH}", ""),
        ("profile", "5086ce1e-5e94-5934", "5086ce1e", "5086ce1e-5e94-5934"),
        ("identifier", "email:hmac:k1:0123456789abcdef", "email:01234567…", "email:hmac:k1:0123456789abcdef"),
        ("identifier", "cookie:a:b", "cookie:a:b", "cookie:a:b"),
        ("ago", EARLIER, "1 h ago", "1767222000000"),
        ("time", EARLIER, "31 Dec 2025 23:00 UTC", "1767222000000"),
    ],
)
def test_a_value_is_shown_as_people_read_it(kind: str, value: object, text: str, bare: str) -> None:
    found = cell(Column("x", "X", kind), {"x": value, "currency": "EUR"}, "/t/shop", NOW)  # type: ignore[arg-type]
    assert (found.text, found.value) == (text, bare)


def test_a_time_says_when_it_was_to_whatever_reads_it() -> None:
    found = cell(Column("x", "X", "time"), {"x": EARLIER}, "", NOW)
    assert found.moment == "2025-12-31T23:00:00.000Z"


def test_a_link_quotes_every_value_and_keeps_the_filters() -> None:
    row = {"name": "a/b?c=d&e#f", "id": "1"}
    assert (
        link("/x?name={name}", row, "/t/shop", {"range": "7d"})
        == "/t/shop/x?name=a%2Fb%3Fc%3Dd%26e%23f&range=7d"
    )
    assert link("/x?stage={id}", row, "/t/shop", {"stage": "old"}) == "/t/shop/x?stage=1"
    assert link("/person?id={id}", row, "/t/shop", {"range": "7d"}) == "/t/shop/person?id=1", "of one person"


def test_a_pseudonym_is_shortened_and_nothing_is_unmasked() -> None:
    assert identifier("hmac:k1:0123456789abcdef") == "01234567…"
    assert identifier("ck-1") == "ck-1"
