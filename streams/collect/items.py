"""What a request carries: what an adapter gets to see of it, and what it makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import ContractError
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender


@dataclass(frozen=True)
class Head:
    """What an adapter may see of a request beside its body: neither address nor user agent."""

    call: str = ""  #: the part of the path that varies
    media_type: str = ""  #: in small letters, without parameters
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in small letters
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One event of a request: the JSON form of its touchpoint, or why there is none."""

    original: Any  #: the item as the client sent it, decoded from JSON
    touchpoint: dict[str, Any] | None
    error: ContractError | None = None


#: What makes items of a request once its write key is known: sender, mapping, our time of receipt (UTC ms).
ToItems = Callable[[Sender, MessageMapping, int], list[Item]]


@dataclass(frozen=True)
class Posted:
    """A request that was understood as a whole."""

    count: int  #: of its items
    items: ToItems
    write_key: str | None = None  #: as the body has it


def item_of(original: Any, read: Callable[[], dict[str, Any]]) -> Item:
    """The item of what `read` returns, or of the ContractError that it raises."""
    try:
        return Item(original, read())
    except ContractError as error:
        return Item(original, None, error)
