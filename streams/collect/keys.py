"""Write keys: who may send, for which tenant and source. The file holds hashes, never the keys.

[keys.NAME]
sha256 = "64 hexadecimal digits"     the hash of the key; `touchline collect --new-key NAME` makes both
source = "web-shop"                  of everything sent with it; default: NAME
tenant = "default"
channel = "web"                      of what does not say its own
mapping = "messages.toml"            laid over the built-in mapping; beside this file unless absolute
events_per_second = 500              default: no limit
origins = ["https://shop.example"]   web pages that may send; default: any
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.http.hashed_keys import Fail, HashedKeys, key_tables
from schemas.keys import NAME_PATTERN
from schemas.touchpoint.characters import shows_nothing
from schemas.touchpoint.json_form import DEFAULT_TENANT
from schemas.touchpoint.rules import MAX_CHANNEL_BYTES, MAX_NAME_BYTES
from streams.collect.messages import MessageMapping
from streams.collect.senders import Sender

_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "source": str, "tenant": str, "channel": str, "mapping": str,
    "events_per_second": (int, float), "origins": list,
}  # fmt: skip


@dataclass(frozen=True)
class WriteKey:
    """What one key allows."""

    sender: Sender
    mapping: MessageMapping
    events_per_second: float | None = None
    origins: tuple[str, ...] = ()  #: empty: any


class WriteKeys:
    """All keys, found by hash. `anyone` is what every request gets, with a key or without; None: a key is needed."""

    def __init__(self, by_hash: Mapping[str, WriteKey], anyone: WriteKey | None = None) -> None:
        self._keys = HashedKeys(by_hash)
        self.anyone = anyone

    def find(self, key: str) -> WriteKey | None:
        """The entry of a key, or None; what decides is a comparison in constant time."""
        return self._keys.find(key) if self.anyone is None else self.anyone


def parse_keys(text: str, origin: str, read_mapping: Callable[[str], MessageMapping]) -> dict[str, WriteKey]:
    """The keys in the text of a file, by hash. `read_mapping` reads the file that a `mapping` names.

    Raises SettingsError naming the line and the fix.
    """
    return {
        digest: _write_key(name, table, fail, read_mapping)
        for name, digest, table, fail in key_tables(
            text, origin, _FIELDS, "docs/collector.md", "touchline collect"
        )
    }


def _write_key(
    name: str, table: Mapping[str, Any], fail: Fail, read_mapping: Callable[[str], MessageMapping]
) -> WriteKey:
    tenant, source, channel = (
        table.get("tenant", DEFAULT_TENANT),
        table.get("source", name),
        table.get("channel"),
    )
    if not NAME_PATTERN.fullmatch(tenant):
        fail("use 1 to 64 of A-Z a-z 0-9 _ . -", "tenant")
    for entry, text, limit in (("source", source, MAX_NAME_BYTES), ("channel", channel, MAX_CHANNEL_BYTES)):
        if text is not None and not _is_kept(text, limit):
            fail(f"use 1 to {limit} bytes, not spaces alone, and no NUL character", entry)
    rate = table.get("events_per_second")
    if rate is not None and not 0 < rate < float("inf"):
        fail("it must be above 0; leave it out for no limit", "events_per_second")
    origins = table.get("origins", [])
    if not all(isinstance(one, str) and "://" in one and not one.endswith("/") for one in origins):
        fail('write origins as browsers send them, like "https://shop.example"', "origins")
    mapping = read_mapping(table.get("mapping", ""))
    return WriteKey(Sender(name, tenant, source, channel), mapping, rate, tuple(origins))


def _is_kept(text: str, limit: int) -> bool:
    """Whether schemas/touchpoint/rules.py would take a source or channel of this text."""
    return len(text.encode()) <= limit and not shows_nothing(text) and "\0" not in text
