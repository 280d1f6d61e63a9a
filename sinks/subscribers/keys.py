"""API keys: who may read, of which tenant, and what. The file holds hashes, never the keys.

[keys.NAME]
sha256 = "64 hexadecimal digits"     the hash of the key; `touchline serve --new-key NAME` makes both
tenant = "default"
scopes = ["read:states"]             what it may do, of the closed list below
requests_per_second = 100            default: no limit; a stream of events is one request
streams = 50                         that may be open at a time; default: no limit but the service's own
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from schemas.http.hashed_keys import Fail, HashedKeys, key_tables
from schemas.keys import NAME_PATTERN
from schemas.toml_text import read_text
from schemas.touchpoint.json_form import DEFAULT_TENANT

_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "tenant": str, "scopes": list, "requests_per_second": (int, float), "streams": int,
}  # fmt: skip


class Scope(StrEnum):
    """What a key may do: a closed list, part of the contract."""

    STATES = "read:states"  #: states of people by profile id, and their stream
    IDENTIFIERS = "lookup:identifiers"  #: besides: find people by an e-mail address or any other identifier
    ACCOUNTS = "read:accounts"
    SIGNALS = "read:signals"  #: a person's open signals, and their stream
    CHANGES = "read:changes"  #: the stream of merges, splits and erasures
    TIMELINE = "read:timeline"  #: every touchpoint of a person
    EVIDENCE = "read:evidence"  #: why identifiers are one person


@dataclass(frozen=True)
class Reader:
    """What one key allows."""

    name: str
    tenant: str
    scopes: frozenset[Scope]
    requests_per_second: float | None = None
    streams: int | None = None


class ReaderKeys:
    """All keys. `anyone` is what every request may do, with a key or without; None: a key is needed."""

    def __init__(self, by_hash: Mapping[str, Reader], anyone: Reader | None = None) -> None:
        self._keys = HashedKeys(by_hash)
        self.anyone = anyone

    def find(self, key: str) -> Reader | None:
        """What a key allows, or None."""
        return self._keys.find(key) if self.anyone is None else self.anyone


def everything(tenant: str = DEFAULT_TENANT) -> Reader:
    """What a request without a key may do on a service that is open, on loopback."""
    return Reader("anyone", tenant, frozenset(Scope))


def load_keys(path: str) -> dict[str, Reader]:
    """The keys in a file, by hash. Raises SettingsError naming the line and the fix."""
    return parse_keys(read_text(path, "TOUCHLINE_SUBSCRIBER_KEYS"), path)


def parse_keys(text: str, origin: str) -> dict[str, Reader]:
    """The keys in the text of a file, by hash. Raises SettingsError naming the line and the fix."""
    return {
        digest: _reader(name, table, fail)
        for name, digest, table, fail in key_tables(
            text, origin, _FIELDS, "docs/subscribers.md", "touchline serve"
        )
    }


def _reader(name: str, table: Mapping[str, Any], fail: Fail) -> Reader:
    tenant = table.get("tenant", DEFAULT_TENANT)
    if not NAME_PATTERN.fullmatch(tenant):
        fail("use 1 to 64 of A-Z a-z 0-9 _ . -", "tenant")
    known = {scope.value: scope for scope in Scope}
    scopes = table.get("scopes", [])
    for scope in scopes:
        if not isinstance(scope, str) or scope not in known:
            fail(f"there is no scope {scope!r:.80}: choose of {', '.join(known)}", "scopes")
    if not scopes:
        fail(f"without scopes it may do nothing: choose of {', '.join(known)}")
    rate = table.get("requests_per_second")
    if rate is not None and not 0 < rate < float("inf"):
        fail("it must be above 0; leave it out for no limit", "requests_per_second")
    streams = table.get("streams")
    if streams is not None and streams < 1:
        fail("it must be 1 or more; leave it out for no limit", "streams")
    return Reader(name, tenant, frozenset(known[scope] for scope in scopes), rate, streams)
