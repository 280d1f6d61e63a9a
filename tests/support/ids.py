"""Ids as identity, journeys and signals make them: UUIDs, from names that a reader can tell apart."""

from functools import cache
from typing import Final
from uuid import UUID, uuid5

from schemas.keys import is_uuid

_NAMES: Final = UUID("00000000-0000-0000-0000-00000000007e")

_SOMEBODY: Final = "0f0c4d3e-ab7a-5c1e-9d52-7f6b8a1e2c43"
#: Texts that are no id, though ClickHouse's parser or Python's UUID takes most of them for one.
ODD_IDS: Final = (
    "p2", "", _SOMEBODY.upper(), _SOMEBODY.replace("-", ""), f"{{{_SOMEBODY}}}", f"urn:uuid:{_SOMEBODY}",
    f"{_SOMEBODY} ", _SOMEBODY.replace("a", "g"), _SOMEBODY.replace("-", "_"), _SOMEBODY[:-1], str(UUID(int=0)),
)  # fmt: skip


@cache
def person(name: str) -> str:
    """The profile id of somebody whom a test calls `name`: equal names are one person. An id stays as it is."""
    return name if is_uuid(name) else str(uuid5(_NAMES, name))


@cache
def named_id(name: str) -> str:
    """The id of a change, a signal or its subject that a test calls `name`."""
    return str(uuid5(_NAMES, f"id {name}"))
