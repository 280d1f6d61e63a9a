"""Plain JSON touchpoints: one object, an array of them, or one on each line (NDJSON)."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NoReturn

from schemas.errors import ContractError, Reason
from streams.collect.inflate import loads, parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender

NDJSON: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"}
)


def read(head: Head, body: bytes) -> Posted:
    """The touchpoints in a body; one line that is not JSON spoils no other.

    Raises ProblemError 400 if the body is neither JSON nor, by its media type, lines of JSON.
    """
    if head.media_type in NDJSON:
        values = [
            _line(line, number) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip()
        ]
    else:
        document = parse(body)
        values = document if isinstance(document, list) else [document]

    def items(sender: Sender, _: MessageMapping, received_at: int) -> Iterator[Item]:
        return (item_of(value, partial(touchpoint_of, value, sender, received_at)) for value in values)

    return Posted(len(values), items)


def touchpoint_of(value: Any, sender: Sender, received_at: int) -> dict[str, Any]:
    """The value with the sender's tenant and source and our time of receipt. Raises ContractError."""
    if isinstance(value, ContractError):
        raise value
    if not isinstance(value, dict):
        _reject("a touchpoint is a JSON object")
    touchpoint = {**value, "received_at": received_at, "tenant": sender.tenant}
    for name, own in (("tenant", sender.tenant), ("source", sender.source)):
        said = value.get(name)
        if own is not None and said not in (None, "", own):
            _reject(f"{name} is {str(said)[:80]!r}, but the write key is for {own!r}: leave it out")
    if sender.source is not None:
        touchpoint["source"] = sender.source
    if sender.channel is not None and not value.get("channel"):
        touchpoint["channel"] = sender.channel
    return touchpoint


def _line(line: bytes, number: int) -> Any:
    try:
        return loads(line)
    except ValueError as error:
        return ContractError(Reason.INVALID, f"line {number} is not JSON: {error}"[:300])


def _reject(message: str) -> NoReturn:
    raise ContractError(Reason.INVALID, message)
