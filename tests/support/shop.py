"""A shop's mapping and row, for tests: only what they change is said."""

from typing import Any

from deploy.ingest.mapping.file import parse_mapping
from deploy.ingest.mapping.row_events import SourceMapping
from schemas.touchpoint.json_form import from_json
from tests.support.touchpoints import START

GOOD = """
derive_event_id = true
attributes = ["colour"]
[constants]
source = "shop"
[columns]
occurred_at = "when"
channel = "where"
type = "what"
amount_minor = "cents"
currency = "money"
[identifiers]
customer_id = "user"
cookie = ["browser", "app"]
[lookup.type]
buy = "order_placed"
"""
ROW = {
    "when": "2026-01-01 01:00:00", "where": "web", "what": "buy", "cents": "1299", "money": "EUR",
    "user": "u1", "browser": "b", "app": "", "colour": "red", "ignored": "x",
}  # fmt: skip


def mapping(change: str = "", to: str = "") -> SourceMapping:
    assert change in GOOD
    return parse_mapping(GOOD.replace(change, to, 1) if change else GOOD, "m.toml")


def read(which: SourceMapping, **cells: str) -> dict[str, Any]:
    return dict(from_json(which.apply({**ROW, **cells}), START))
