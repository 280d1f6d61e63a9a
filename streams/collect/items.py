"""What a request carries: what an adapter gets to see of it, and what it makes of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import ContractError, Reason
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


#: What makes items of a request, one at a time, once its write key is known: sender, mapping, time of receipt (UTC ms).
ToItems = Callable[[Sender, MessageMapping, int], Iterator[Item]]


@dataclass(frozen=True)
class Posted:
    """A request that was understood as a whole."""

    count: int  #: of its items
    items: ToItems
    write_key: str | None = None  #: as the body has it


def item_of(original: Any, read: Callable[[], dict[str, Any]]) -> Item:
    """The item of what `read` returns, or of what it raises."""
    try:
        return Item(original, read())
    except Exception as error:  # noqa: BLE001 (whatever it is must not cost the other items of the request)
        return Item(original, None, refusal(error))


def refusal(error: Exception) -> ContractError:
    """The ContractError of an item that failed: UNEXPECTED, with its cause, for what can only be a bug of ours."""
    if isinstance(error, ContractError):
        return error
    if isinstance(error, (MemoryError, OSError)):
        raise error
    unexpected = ContractError(Reason.UNEXPECTED, f"{type(error).__name__}: a bug of the collector")
    unexpected.__cause__ = error
    return unexpected
