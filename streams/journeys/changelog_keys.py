"""The keys of the journeys changelog: `tenant/profile/KIND/…`. The kind says what the record is about."""

from enum import Enum
from typing import Final


class Kind(bytes, Enum):
    """The part of a key between the profile and the rest of the key, with its slashes."""

    ENTRY = b"/e/"  #: a touchpoint on the timeline; the rest is the entry's id
    POINTER = b"/p/"  #: the newest assignment of an identifier, `type:value`
    SUMMARY = b"/f/"  #: the horizon summary of an identifier, `type:value`
    PUBLICATION = b"/s/"  #: when the profile's signals were published last
    WRITE_AHEAD = b"/i/"  #: signals about to be raised; the rest is the version of the publication
    MODEL = b"/m/"  #: the prediction model of a tenant; the profile is empty
    MARK = b"/c/"  #: a place that a checkpoint goes up to, a tombstone; tenant and profile are empty
    CLAIM = b"/o/"  #: a worker owns the partition from here on; tenant and profile are empty, the rest is the claimant


_BY_LETTER: Final = {kind[1:2]: kind for kind in Kind}


def parse(key: bytes) -> tuple[bytes, Kind, bytes]:
    """The profile (`tenant/profile`), the kind and the rest of a key.

    Raises ValueError for a key of another form, LookupError for a kind that this release does not know.
    """
    tenant, profile_id, letter, rest = key.split(b"/", 3)
    return tenant + b"/" + profile_id, _BY_LETTER[letter], rest


def mark_key(name: bytes) -> bytes:
    """The key of a mark; its record has no value (streams/journeys/checkpoints.py)."""
    return b"/" + Kind.MARK + name


def claim_key(claimant: bytes) -> bytes:
    """The key of a claim; its record has no value (streams/runtime/fence.py)."""
    return b"/" + Kind.CLAIM + claimant


def is_claim(key: bytes | None) -> bool:
    """Whether a key is that of a claim."""
    return key is not None and key.startswith(claim_key(b""))


def node_name(node: tuple[str, str]) -> bytes:
    """An identifier as the rest of a key."""
    return f"{node[0]}:{node[1]}".encode()


def node_of_name(rest: bytes) -> tuple[str, str]:
    """Back from `node_name`. An identifier's type has no colon."""
    type_, _, value = rest.decode().partition(":")
    return type_, value
