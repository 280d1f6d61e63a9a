"""Bounded maps, for names that sources choose: channels, purposes, experiments."""

from typing import Final, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Entries of one map of a journey: far more than a person has, far fewer than a broken source can send.
MAX_NAMES: Final = 256


def put(names: dict[Key, Value], name: Key, value: Value) -> None:
    """Set an entry of `names`. A new entry beyond MAX_NAMES evicts the oldest one (first in, first out)."""
    if name not in names and len(names) >= MAX_NAMES:
        del names[next(iter(names))]
    names[name] = value
