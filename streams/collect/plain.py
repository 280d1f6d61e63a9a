"""Plain JSON touchpoints: one object, an array of them, or one on each line (NDJSON).

What is JSON, and how long it may be, is decided as for a line of a file that is published (schemas/touchpoint).
"""

import codecs
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NoReturn, TypeAlias

from schemas.errors import ContractError, Reason
from schemas.touchpoint.intake import read_value
from schemas.touchpoint.json_form import is_blank
from streams.collect.inflate import parse
from streams.collect.items import Head, Item, Posted, item_of
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender

NDJSON: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines"}
)
_SPACE: Final = " \t\r\n"

#: The JSON value of one item, or the reason why it has none.
Value: TypeAlias = Any | ContractError


def read(head: Head, body: bytes) -> Posted:
    """The touchpoints in a body; one that is not strict JSON spoils no other of an array or of lines.

    Raises ProblemError 400 if the body is neither JSON nor, by its media type, lines of JSON.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    values = _lines(body) if head.media_type in NDJSON else _values(body)

    def items(sender: Sender, _: MessageMapping, received_at: int) -> Iterator[Item]:
        return (
            item_of(original, partial(touchpoint_of, value, sender, received_at))
            for original, value in values
        )

    return Posted(len(values), items)


def touchpoint_of(value: Value, sender: Sender, received_at: int) -> dict[str, Any]:
    """The value with the sender's tenant and source and our time of receipt. Raises ContractError."""
    if isinstance(value, ContractError):
        raise value
    if not isinstance(value, dict):
        _reject("a touchpoint is a JSON object")
    touchpoint = {**value, "received_at": received_at, "tenant": sender.tenant}
    for name, own in (("tenant", sender.tenant), ("source", sender.source)):
        said = value.get(name)
        if own is not None and not is_blank(said) and said != own:
            _reject(f"{name} is {str(said)[:80]!r}, but the write key is for {own!r}: leave it out")
    if sender.source is not None:
        touchpoint["source"] = sender.source
    if sender.channel is not None and is_blank(value.get("channel")):
        touchpoint["channel"] = sender.channel
    return touchpoint


def _lines(body: bytes) -> list[tuple[Any, Value]]:
    values = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            value = _value(line)
            if isinstance(value, ContractError):
                value = ContractError(value.reason, f"line {number}: {value}")
            values.append((value, value))
    return values


def _values(body: bytes) -> list[tuple[Any, Value]]:
    """The items of a document, each beside its strict value.

    A document that is not strict JSON as a whole is taken apart, which parses it twice more.
    """
    with suppress(ContractError):
        document = read_value(body)
        return [(one, one) for one in (document if isinstance(document, list) else [document])]
    document, text = parse(body), body.decode()
    if not isinstance(document, list):
        return [(document, _value(text))]
    return [(one, _value(part)) for one, part in zip(document, _parts(text), strict=True)]


def _parts(array: str) -> Iterator[str]:
    """The texts of an array's items; the array is JSON."""
    decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().raw_decode
    at = _skip(array, array.index("[") + 1)
    while array[at] != "]":
        end = decode(array, at)[1]
        yield array[at:end]
        at = _skip(array, end)
        if array[at] == ",":
            at = _skip(array, at + 1)


def _skip(text: str, at: int) -> int:
    """The position of the next character that is no space."""
    while text[at] in _SPACE:
        at += 1
    return at


def _value(text: bytes | str) -> Value:
    try:
        return read_value(text)
    except ContractError as error:
        return error


def _reject(message: str) -> NoReturn:
    raise ContractError(Reason.INVALID, message)
