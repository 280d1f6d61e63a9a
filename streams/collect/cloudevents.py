"""CloudEvents 1.0 over HTTP: binary (attributes in headers), structured (one JSON object) and batched (an array)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from schemas.errors import ContractError, Reason
from schemas.http.problems import ProblemError
from schemas.touchpoint.rules import MAX_ID_BYTES
from streams.collect.inflate import parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import MessageMapping, hashed_id
from streams.collect.plain import touchpoint_of
from streams.collect.senders import Sender

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"

#: Members of `data` that say who it was, as in a Segment message.
_WHO: Final = ("userId", "anonymousId", "groupId", "traits", "context", "channel")


def read(head: Head, body: bytes) -> Posted:
    """The events of a request, by its content mode. Raises ProblemError 400."""
    if head.media_type == BATCHED:
        events = parse(body)
        if not isinstance(events, list):
            raise ProblemError(400, "no_batch", f"{BATCHED} is an array of events")
    elif head.media_type == STRUCTURED:
        events = [parse(body)]
    elif "ce-specversion" in head.headers:
        attributes = {
            name[3:]: unquote(value) for name, value in head.headers.items() if name.startswith("ce-")
        }
        events = [{**attributes, "data": parse(body) if body else None}]
    else:
        raise ProblemError(
            400, "no_cloudevent", f"send ce- headers, or Content-Type {STRUCTURED} or {BATCHED}"
        )

    def items(sender: Sender, mapping: MessageMapping, received_at: int) -> Iterator[Item]:
        return (item_of(event, partial(_touchpoint, event, mapping, sender, received_at)) for event in events)

    return Posted(len(events), items)


def _touchpoint(event: Any, mapping: MessageMapping, sender: Sender, received_at: int) -> dict[str, Any]:
    """A touchpoint's own JSON where data has identifiers; else data is read like the properties of a message.

    An event is known by source and id together (CloudEvents 1.0, "id").
    """
    if not isinstance(event, dict):
        _reject("a CloudEvent is a JSON object")
    if event.get("specversion") != "1.0":
        _reject(f"specversion is {str(event.get('specversion'))[:20]!r}: only 1.0 is known")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            _reject(f"the CloudEvent has no {name}")
    data = event.get("data")
    if data is not None and not isinstance(data, dict):
        _reject("data must be a JSON object")
    data = data or {}
    event_id = f"{event['source']} {event['id']}"
    if len(event_id.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        event_id = hashed_id(event_id)
    name = event["type"].rpartition(".")[2] or event["type"]
    if "identifiers" in data:
        filled = {"event_id": event_id, "occurred_at": event.get("time", received_at), "type": name, **data}
        return touchpoint_of(filled, sender, received_at)
    message = {
        "type": "track",
        "event": name,
        "messageId": event_id,
        "timestamp": event.get("time"),
        "userId": event.get("subject"),
        "channel": "server",
        **{name: data[name] for name in _WHO if name in data},
        "properties": {name: value for name, value in data.items() if name not in _WHO},
    }
    return mapping.touchpoint(message, sender, received_at, None)


def _reject(message: str) -> Any:
    raise ContractError(Reason.INVALID, message)
