"""Names that sources make up (channels, purposes, experiments) must not let a journey grow without bound."""

from typing import Final, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Entries of one map of a journey; far more than any person's, far fewer than a broken source can invent.
MAX_NAMES: Final = 256


def put(names: dict[Key, Value], name: Key, value: Value) -> None:
    """Set an entry; a new one beyond the limit takes the place of the one that came first."""
    if name not in names and len(names) >= MAX_NAMES:
        del names[next(iter(names))]
    names[name] = value
