"""PostHog's capture API: /batch/, /e/, /i/v0/e/ and /capture/, brought into the form of a Segment message."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs

from schemas.errors import ContractError, Reason
from schemas.http.problems import ProblemError
from streams.collect.inflate import parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import UTM, MessageMapping, sent_at_of
from streams.collect.senders import Sender

PATHS: Final = ("/batch", "/e", "/i/v0/e", "/capture", "/track")

_CALLS: Final = {
    "$identify": "identify",
    "$set": "identify",
    "$pageview": "page",
    "$screen": "screen",
    "$create_alias": "alias",
}
_MOBILE: Final = ("posthog-ios", "posthog-android", "posthog-react-native", "posthog-flutter")


def encoding(head: Head) -> str | None:
    """What the query says of the body's encoding, where no header does."""
    return "gzip" if head.query.get("compression", "").startswith("gzip") else None


def read(head: Head, body: bytes) -> Posted:
    """The events in a body: under "batch", an array, or one. Raises ProblemError 400."""
    document = parse(_unwrapped(head, body))
    around = document if isinstance(document, dict) else {}
    events = (
        around.get("batch") if "batch" in around else document if isinstance(document, list) else [document]
    )
    if not isinstance(document, (dict, list)) or not isinstance(events, list):
        raise ProblemError(
            400, "no_batch", "the body must be an event, an array of them, or hold one under batch"
        )
    historical = around.get("historical_migration") is True
    sent_at = None if historical else sent_at_of(around, "sent_at")

    def items(sender: Sender, mapping: MessageMapping, received_at: int) -> Iterator[Item]:
        return (
            item_of(event, partial(touchpoint_of, event, mapping, sender, received_at, sent_at))
            for event in events
        )

    return Posted(len(events), items, _write_key([around, *events[:1]]))


def message_of(event: Any) -> dict[str, Any]:
    """An event as a Segment message. Raises ContractError for what is none, or nobody's."""
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        raise ContractError(Reason.INVALID, "a PostHog event is an object with an event, a text")
    name = event["event"]
    properties = _object(event, "properties")
    if name == "$groupidentify":
        raise ContractError(
            Reason.NO_IDENTIFIER, "$groupidentify says something of a group, and of no person"
        )
    distinct = event.get("distinct_id") or properties.get("distinct_id")
    device = properties.get("$anon_distinct_id") or properties.get("$device_id")
    traits = {**_object(event, "$set"), **_object(properties, "$set_once"), **_object(properties, "$set")}
    groups = _object(properties, "$groups")
    library = properties.get("$lib")
    call = _CALLS.get(name, "track")
    return {
        "type": call,
        "event": name.lstrip("$") or name,
        "messageId": event.get("uuid") or properties.get("$insert_id"),
        "timestamp": event.get("timestamp"),
        **_who(call, distinct, device, properties),
        "traits": traits,
        "channel": "web" if library == "web" else "mobile" if library in _MOBILE else "server",
        "properties": {
            key: value
            for key, value in properties.items()
            if not key.startswith("$") and key not in UTM and key not in ("token", "distinct_id", "alias")
        },
        "context": {
            "groupId": groups.get("company") or next(iter(groups.values()), None),
            "sessionId": properties.get("$session_id"),
            "campaign": {field: properties.get(key) for key, field in UTM.items()},
            "page": {
                "path": properties.get("$pathname"),
                "title": properties.get("title"),
                "referrer": properties.get("$referrer"),
            },
            "library": {"name": library},
        },
    }


def touchpoint_of(
    event: Any, mapping: MessageMapping, sender: Sender, received_at: int, sent_at: int | None = None
) -> dict[str, Any]:
    """The JSON form of an event's touchpoint. Raises ContractError."""
    return mapping.touchpoint(message_of(event), sender, received_at, sent_at)


def _who(call: str, distinct: Any, device: Any, properties: dict[str, Any]) -> dict[str, Any]:
    """A distinct id is a user's, unless it is the device's or the event says that nobody is identified.

    An alias names two ids: `alias(distinct_id, alias)` of most libraries has the anonymous one second, and
    `alias(previous_id, distinct_id)` of posthog-python first.
    """
    if call == "alias":
        pair = (distinct, properties.get("alias"))
        user, anonymous = reversed(pair) if properties.get("$lib") == "posthog-python" else pair
        return {"userId": user, "anonymousId": anonymous}
    unknown = properties.get("$is_identified") is False or properties.get("$process_person_profile") is False
    if distinct == device or unknown:
        return {"userId": None, "anonymousId": distinct}
    return {"userId": distinct, "anonymousId": device}


def _write_key(places: Iterable[Any]) -> str | None:
    for place in places:
        if isinstance(place, dict):
            properties = place.get("properties")
            inner = properties.get("token") if isinstance(properties, dict) else None
            for key in (place.get("api_key"), place.get("token"), inner):
                if isinstance(key, str):
                    return key
    return None


def _unwrapped(head: Head, body: bytes) -> bytes:
    """JSON from a form's `data`, in base64 as old browser libraries send it."""
    if head.media_type != "application/x-www-form-urlencoded":
        return body
    data = parse_qs(body.decode("ascii", "replace")).get("data", [""])[0]
    if data.lstrip().startswith(("{", "[")):
        return data.encode()
    try:
        return base64.b64decode(data.replace(" ", "+"), validate=True)
    except binascii.Error as error:
        raise ProblemError(400, "bad_encoding", "data is neither JSON nor base64") from error


def _object(within: dict[str, Any], name: str) -> dict[str, Any]:
    value = within.get(name)
    return value if isinstance(value, dict) else {}
