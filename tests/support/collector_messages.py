"""Builders for the collector's tests."""

from typing import Any

from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from streams.collect.mapping_file import built_in, parse_mapping
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender
from tests.support.touchpoints import START

SENDER = Sender("web-shop", "default", "web-shop")


def message(call: str = "track", **fields: Any) -> dict[str, Any]:
    """A message as analytics libraries send it: a product was viewed by an anonymous visitor."""
    base: dict[str, Any] = {
        "type": call,
        "messageId": "m1",
        "anonymousId": "anon-1",
        "timestamp": "2026-01-01T00:00:00.000Z",
    }
    if call == "track":
        base["event"] = "Product Viewed"
    return {**base, **fields}


def mapped(
    one: Any,
    *,
    mapping: MessageMapping | str | None = None,
    sender: Sender = SENDER,
    received_at: int = START,
    sent_at: int | None = None,
) -> dict[str, Any]:
    """The touchpoint JSON of a message; `mapping` may be the text of a file."""
    if isinstance(mapping, str):
        mapping = parse_mapping(mapping, "own.toml")
    return (mapping or built_in()).touchpoint(one, sender, received_at, sent_at)


def stored_type(touchpoint: dict[str, Any]) -> str:
    """The type under which it is stored: the catalogue's in place of its aliases."""
    return Catalogue.load("").type_name(touchpoint["type"])


def identifiers(touchpoint: dict[str, Any] | Touchpoint) -> set[tuple[str, str]]:
    """Its identifiers as pairs."""
    return {(one["type"], one["value"]) for one in touchpoint["identifiers"]}
