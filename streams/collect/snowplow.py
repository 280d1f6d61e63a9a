"""Snowplow's tracker protocol v2: POST /com.snowplowanalytics.snowplow/tp2 and GET /i, as Segment messages.

Trackers know no write key: the app id (`aid`) is it.
"""

import base64
import binascii
from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from schemas.errors import ContractError, Reason
from schemas.http.problems import ProblemError
from streams.collect.inflate import loads, parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import UTM, MessageMapping
from streams.collect.senders import Sender

_PLATFORMS: Final = {
    "web": "web",
    "mob": "mobile",
    "app": "mobile",
    "tv": "mobile",
    "cnsl": "mobile",
    "srv": "server",
}


def read_post(_: Head, body: bytes) -> Posted:
    """The events of a payload_data object. Raises ProblemError 400."""
    document = parse(body)
    events = document.get("data") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise ProblemError(400, "no_batch", "the body must be a payload_data object with an array under data")
    return _posted(events)


def read_get(head: Head, _: bytes) -> Posted:
    """The one event in the query."""
    return _posted([dict(head.query)])


def message_of(event: Any) -> dict[str, Any]:
    """An event's parameters as a Segment message. Raises ContractError."""
    if not isinstance(event, dict):
        raise ContractError(Reason.INVALID, "a Snowplow event is an object of parameters")
    call, name, properties = _what(event)
    path, query = _address(event.get("url"))
    return {
        "type": call,
        "event": name,
        "messageId": event.get("eid"),
        "timestamp": _milliseconds(event, "ttm") or _milliseconds(event, "dtm"),
        "userId": event.get("uid"),
        "anonymousId": event.get("duid") or event.get("nuid") or event.get("tnuid"),
        "channel": _PLATFORMS.get(str(event.get("p")), "server"),
        "properties": properties,
        "context": {
            "sessionId": event.get("sid"),
            "campaign": {field: query.get(key) for key, field in UTM.items()},
            "page": {"path": path, "title": event.get("page"), "referrer": event.get("refr")},
            "locale": event.get("lang"),
            "library": {"name": event.get("tv")},
        },
    }


def _posted(events: list[Any]) -> Posted:
    def items(sender: Sender, mapping: MessageMapping, received_at: int) -> Iterator[Item]:
        return (
            item_of(event, partial(touchpoint_of, event, mapping, sender, received_at)) for event in events
        )

    keys = [event["aid"] for event in events if isinstance(event, dict) and isinstance(event.get("aid"), str)]
    return Posted(len(events), items, keys[0] if keys else None)


def touchpoint_of(event: Any, mapping: MessageMapping, sender: Sender, received_at: int) -> dict[str, Any]:
    """The JSON form of an event's touchpoint. Raises ContractError."""
    message = message_of(event)
    # a true timestamp is the source's own, whatever the device's clock shows
    sent_at = None if event.get("ttm") else _milliseconds(event, "stm")
    return mapping.touchpoint(message, sender, received_at, sent_at)


def _address(url: Any) -> tuple[str, dict[str, str]]:
    """Path and query of a page's address; empty for what is none."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        return "", {}
    return parts.path, dict(parse_qsl(parts.query))


def _what(event: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Call, event name and properties, by the kind of event that `e` names."""
    kind = event.get("e")
    if kind == "pv":
        return "page", "page_view", {}
    if kind == "pp":
        return "track", "page_ping", {}
    if kind == "se":
        said = {"category": "se_ca", "label": "se_la", "property": "se_pr", "value": "se_va"}
        return "track", str(event.get("se_ac", "")), {field: event.get(key) for field, key in said.items()}
    if kind == "ue":
        return "track", *_self_describing(event)
    if kind == "tr":
        said = {"order_id": "tr_id", "affiliation": "tr_af", "total": "tr_tt", "currency": "tr_cu"}
        return "track", "order_completed", {field: event.get(key) for field, key in said.items()}
    if kind == "ti":
        said = {"order_id": "ti_id", "sku": "ti_sk", "name": "ti_nm", "quantity": "ti_qu"}
        return "track", "transaction_item", {field: event.get(key) for field, key in said.items()}
    raise ContractError(Reason.INVALID, f"e is {str(kind)[:20]!r}: use pv, pp, se, ue, tr or ti")


def _self_describing(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and data of the event in `ue_pr`, or in `ue_px` as base64."""
    text = event.get("ue_pr")
    try:
        if not isinstance(text, str):
            packed = str(event.get("ue_px", "")).rstrip("=")
            text = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
        inner = loads(text.encode())["data"]
        name, data = inner["schema"].split("/")[1], inner["data"]
    except (ValueError, binascii.Error, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ContractError(Reason.INVALID, "ue_pr or ue_px is no self-describing event") from error
    return name, data if isinstance(data, dict) else {"data": data}


def _milliseconds(event: dict[str, Any], name: str) -> int | None:
    said = event.get(name)
    return (
        int(said) if isinstance(said, (str, int)) and str(said).isdecimal() and len(str(said)) < 16 else None
    )
