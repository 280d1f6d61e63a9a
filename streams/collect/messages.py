"""What a message of a tracking SDK means as a touchpoint: messages.toml, read and applied."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NoReturn

from schemas.errors import ContractError, Reason
from schemas.touchpoint.json_form import to_ms
from schemas.touchpoint.rules import MAX_ID_BYTES
from streams.collect.amounts import minor_units
from streams.collect.canonical import canonical
from streams.collect.clocks import corrected
from streams.collect.flatten import add_attribute, add_members
from streams.collect.senders import Sender

Path = tuple[str, ...]

_WORD_BREAK: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\s\-./:]+")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
#: A page's campaign parameters, by the names that a message's `context.campaign` has for them.
UTM: Final = {
    "utm_campaign": "name",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_term": "term",
    "utm_content": "content",
}
_CALLS: Final = ("track", "identify", "page", "screen", "group", "alias")


@dataclass(frozen=True)
class MessageMapping:
    """The content of a mapping, checked (mapping_file reads it)."""

    channel: str
    currency: str
    clock_tolerance: float  #: seconds
    alias_previous: str
    emails_as: str
    calls: Mapping[str, str]
    channels: Mapping[str, str]
    events: Mapping[str, str]
    identifiers: Mapping[str, tuple[Path, ...]]
    fields: Mapping[str, tuple[Path, ...]]
    attributes: Mapping[str, tuple[Path, ...]]
    left_out: frozenset[str]

    def touchpoint(
        self, message: Any, sender: Sender, received_at: int, sent_at: int | None
    ) -> dict[str, Any]:
        """The JSON form of a message's touchpoint. `sent_at`: UTC ms by the client's clock, or None.

        Raises ContractError (INVALID) for what is no message. Limits are checked where the touchpoint is.
        """
        if not isinstance(message, dict):
            _reject("a message is a JSON object")
        call = message.get("type")
        if call not in _CALLS:
            _reject(f"type is {str(call)[:80]!r}: use {', '.join(_CALLS)}")
        occurred_at = self._occurred_at(message, received_at, sent_at)
        touchpoint: dict[str, Any] = {
            "tenant": sender.tenant,
            "source": sender.source or sender.name,
            "event_id": event_id(message, sender, occurred_at),
            "occurred_at": occurred_at,
            "received_at": received_at,
            "channel": self._channel(message, call, sender),
            "type": self._type(message, call),
            "identifiers": list(self._identifiers(message, call)),
        }
        self._fill_fields(message, touchpoint)
        attributes: dict[str, str] = {}
        for name, paths in self.attributes.items():
            add_attribute(attributes, name, first(message, paths))
        properties = message.get("properties")
        if isinstance(properties, dict):
            add_members(attributes, properties, self.left_out)
        touchpoint["attributes"] = attributes
        return touchpoint

    def _occurred_at(self, message: Mapping[str, Any], received_at: int, sent_at: int | None) -> int:
        said = message.get("originalTimestamp") or message.get("timestamp")
        if said is None:
            return (
                received_at
                if sent_at is None
                else corrected(sent_at, sent_at, received_at, self.clock_tolerance)
            )
        original = to_ms(said, "timestamp")
        if sent_at is None:
            return original
        return corrected(original, sent_at, received_at, self.clock_tolerance)

    def _channel(self, message: Mapping[str, Any], call: str, sender: Sender) -> str:
        for said in (message.get("channel"), at(message, ("context", "channel")), call):
            channel = self.channels.get(said) if isinstance(said, str) else None
            if channel:
                return channel
        return sender.channel or self.channel

    def _type(self, message: Mapping[str, Any], call: str) -> str:
        if call != "track":
            return self.calls.get(call) or call
        name = message.get("event")
        if not isinstance(name, str) or not name.strip():
            _reject("a track message needs an event, a text")
        plain = snake_case(name)
        return self.events.get(plain) or plain

    def _identifiers(self, message: Mapping[str, Any], call: str) -> Iterator[dict[str, str]]:
        seen = set()
        for kind, value in self._named(message, call):
            if self.emails_as and kind != self.emails_as and _EMAIL.fullmatch(value):
                kind = self.emails_as
            if (kind, value) not in seen:
                seen.add((kind, value))
                yield {"type": kind, "value": value}

    def _named(self, message: Mapping[str, Any], call: str) -> Iterator[tuple[str, str]]:
        for kind, paths in self.identifiers.items():
            for path in paths:
                value = plain_text(at(message, path))
                if value:
                    yield kind, value
        if call == "alias" and self.alias_previous:
            previous = plain_text(message.get("previousId"))
            if previous and previous != plain_text(message.get("anonymousId")):
                yield self.alias_previous, previous

    def _fill_fields(self, message: Mapping[str, Any], touchpoint: dict[str, Any]) -> None:
        """Set the fields that the message has."""
        amount = currency = None
        for field, paths in self.fields.items():
            value = first(message, paths)
            if field == "amount":
                amount = value
            elif field == "currency":
                currency = value
            elif text := plain_text(value):
                touchpoint[field] = _within(text)
        minor = minor_units(amount, currency or self.currency)
        if minor is not None:
            touchpoint["amount_minor"], touchpoint["currency"] = minor


def event_id(message: Mapping[str, Any], sender: Sender, occurred_at: int) -> str:
    """The message's own id, or one made of its content and time: sent again as it was, it has the same."""
    given = plain_text(message.get("messageId"))
    if given:
        return _within(given)
    content = {name: value for name, value in message.items() if name not in ("sentAt", "receivedAt")}
    return blake2b(canonical([sender.source, occurred_at, content]), digest_size=16).hexdigest()


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """`Order Completed`, `orderCompleted` and `order-completed` as order_completed."""
    words = (word for part in _WORD_BREAK.split(name.strip()) for word in part.split("_"))
    return "_".join(word.lower() for word in words if word) or name


def at(message: Any, path: Path) -> Any:
    """What stands at a path, or None."""
    for name in path:
        if not isinstance(message, dict):
            return None
        message = message.get(name)
    return message


def first(message: Any, paths: tuple[Path, ...]) -> Any:
    """What stands at the first path where something does, or None."""
    for path in paths:
        value = at(message, path)
        if value is not None and value != "":
            return value
    return None


def plain_text(value: Any) -> str:
    """A text, or a whole number as one; everything else is empty."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return ""


def sent_at_of(message: Any, name: str = "sentAt") -> int | None:
    """When a message says that it was sent, UTC ms; None if it does not, or not as a time."""
    said = message.get(name) if isinstance(message, dict) else None
    try:
        return None if said is None else to_ms(said, name)
    except ContractError:
        return None  # it serves only to correct the clock


def _within(text: str) -> str:
    """A text within the limit of ids: a longer one is replaced by its hash, so that the event is kept."""
    if len(text) * 4 <= MAX_ID_BYTES or len(text.encode("utf-8", "surrogatepass")) <= MAX_ID_BYTES:
        return text
    return hashed_id(text)


def hashed_id(text: str) -> str:
    """An id of 32 characters in place of one that is too long."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _reject(message: str) -> NoReturn:
    raise ContractError(Reason.INVALID, message)
