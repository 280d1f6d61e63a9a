"""Segment's HTTP tracking API, which RudderStack's SDKs speak too: what a request's body holds.

One message at /v1/track, /v1/identify … (analytics.js: /v1/t, /v1/i …), many under "batch" at /v1/batch and /v1/import.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from schemas.http.problems import ProblemError
from streams.collect.inflate import parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import MessageMapping, sent_at_of
from streams.collect.senders import Sender

#: Last part of the path → message type; None: the messages say theirs.
CALLS: Final[dict[str, str | None]] = {
    "track": "track", "identify": "identify", "page": "page", "screen": "screen", "group": "group", "alias": "alias",
    "t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias",
    "batch": None, "b": None, "import": None,
}  # fmt: skip


def read(head: Head, body: bytes) -> Posted:
    """The messages in a body posted to /v1/`head.call`. Raises ProblemError 400 if it is no body for that."""
    document = parse(body)
    if not isinstance(document, dict):
        raise ProblemError(400, "not_an_object", "the body must be a JSON object")
    write_key = document.get("writeKey")
    if write_key is not None and not isinstance(write_key, str):
        raise ProblemError(400, "bad_write_key", "writeKey must be a text")
    kind = CALLS[head.call]
    if kind is not None:
        messages: list[Any] = [
            {**{name: value for name, value in document.items() if name != "writeKey"}, "type": kind}
        ]
    elif isinstance(document.get("batch"), list):
        context = document.get("context")
        messages = [
            _under(message, context if isinstance(context, dict) else {}) for message in document["batch"]
        ]
    else:
        raise ProblemError(400, "no_batch", '"batch" must be an array of messages')
    # what is imported happened long ago: its clock is nobody's
    sent_at = None if head.call == "import" else sent_at_of(document)

    def items(sender: Sender, mapping: MessageMapping, received_at: int) -> Iterator[Item]:
        return (
            item_of(message, partial(touchpoint_of, message, mapping, sender, received_at, sent_at))
            for message in messages
        )

    return Posted(len(messages), items, write_key)


def touchpoint_of(
    message: Any, mapping: MessageMapping, sender: Sender, received_at: int, sent_at: int | None = None
) -> dict[str, Any]:
    """The JSON form of a message's touchpoint. Raises ContractError."""
    return mapping.touchpoint(message, sender, received_at, sent_at)


def _under(message: Any, context: dict[str, Any]) -> Any:
    """A message of a batch with the batch's context under its own."""
    if not context or not isinstance(message, dict):
        return message
    own = message.get("context")
    return {**message, "context": {**context, **(own if isinstance(own, dict) else {})}}
