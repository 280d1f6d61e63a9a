"""Keys that a client presents, of which a file holds hashes, never the keys."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Generic, NoReturn, TypeVar

from schemas.errors import SettingsError
from schemas.toml_text import parse_toml, place

K = TypeVar("K")

_PREFIX: Final = 16  #: digits of a hash by which it is looked up; the whole of it is compared
_HASH: Final = re.compile(r"[0-9a-f]{64}")
KEY_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

#: Raises SettingsError with what is wrong and the line of an entry of the table, or of the table itself.
Fail = Callable[..., NoReturn]


class HashedKeys(Generic[K]):
    """What each key stands for, found by its hash."""

    def __init__(self, by_hash: Mapping[str, K]) -> None:
        self._by_prefix = {digest[:_PREFIX]: (digest, entry) for digest, entry in by_hash.items()}

    def find(self, key: str) -> K | None:
        """The entry of a key, or None; what decides is a comparison in constant time."""
        presented = hash_of(key)
        stored, found = self._by_prefix.get(presented[:_PREFIX], ("", None))
        return found if hmac.compare_digest(stored, presented) else None


def hash_of(key: str) -> str:
    """SHA-256 in hexadecimal: keys are long and random, so that a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(name: str) -> str:
    """A new key. Raises SettingsError if its name cannot stand in a file."""
    if not KEY_NAME.fullmatch(name):
        raise SettingsError(f"--new-key is {name[:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ -")
    return secrets.token_urlsafe(24)


def key_tables(
    text: str, origin: str, fields: Mapping[str, type | tuple[type, ...]], document: str, maker: str
) -> Iterator[tuple[str, str, Mapping[str, Any], Fail]]:
    """Name, hash, entries and `fail` of each table [keys.NAME] in the text of a file.

    `fields` are the entries that a table may have besides `sha256`, and their types; `document` describes them, and
    `maker` is the command that makes a key. Raises SettingsError naming the line and the fix.
    """
    tables = parse_toml(text, origin)
    keys = tables.pop("keys", None)
    if tables or not isinstance(keys, dict) or not keys:
        raise SettingsError(f"{origin} must hold tables [keys.NAME], one for each key, and nothing else")
    seen: set[str] = set()
    for name, table in keys.items():

        def fail(what: str, *entry: str, name: str = name) -> NoReturn:
            raise SettingsError(f"{place(text, origin, 'keys', name, *entry)}: {what}")

        if not isinstance(table, dict):
            fail("begin it with [keys.NAME]")
        known = {"sha256": str, **fields}
        for entry, value in table.items():
            if entry not in known:
                fail(f"unknown: use {', '.join(known)}", entry)
            if not isinstance(value, known[entry]) or isinstance(value, bool):
                fail(f"it has the wrong type: see {document}", entry)
        digest = table.get("sha256", "")
        if not _HASH.fullmatch(digest):
            fail(f"sha256 is missing or not 64 small hexadecimal digits: `{maker} --new-key NAME` makes one")
        if digest in seen:
            fail("another name has the same key: make one for each", "sha256")
        seen.add(digest)
        yield name, digest, {entry: value for entry, value in table.items() if entry != "sha256"}, fail
