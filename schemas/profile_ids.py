"""Profile ids: UUIDv5 of an identifier, so that every process computes the same id without coordination.

After a merge the profile has the id of its anchor, the identifier that was linked first. So the assignment of that
identifier says where a profile of this id went (docs/identity.md).
"""

from collections.abc import Callable
from hashlib import sha1
from typing import Final
from uuid import UUID

#: Namespace of all profile ids. Part of the contract: changing it renames every profile.
NAMESPACE: Final = UUID("5f0c4d3e-0b7a-5c1e-9d52-7f6b8a1e2c43")

_NAMESPACE_BYTES: Final = NAMESPACE.bytes
_VARIANT: Final = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


_native: Final[list[Callable[[bytes, str], str]]] = []


def hash_names_by(native: Callable[[bytes, str], str] | None) -> None:
    """Let `uuid5_text` ask this function in this process, which must give the same; None for Python."""
    _native[:] = [] if native is None else [native]


def own_profile(tenant: str, node: tuple[str, str]) -> str:
    """The id of the profile whose anchor is this identifier (type, value): also of an identifier without links."""
    return uuid5_text(_NAMESPACE_BYTES, f"{tenant}\x1f{node[0]}\x1f{node[1]}")


def contested_profile(tenant: str, node: tuple[str, str]) -> str:
    """The profile that owns a contested identifier's touchpoints from `contested_from` on.

    The id does not depend on that time, so earlier evidence does not change it. Prepared values contain no control
    characters (`streams.identity.policy.normalise.clean`), so it differs from every identifier's own profile.
    """
    return uuid5_text(_NAMESPACE_BYTES, f"{tenant}\x1f{node[0]}\x1f{node[1]}\x1fcontested")


def uuid5_text(namespace: bytes, name: str) -> str:
    """`str(uuid.uuid5(namespace, name))` (RFC 9562), four times as fast: each identifier and each signal needs one."""
    if _native:
        return _native[0](namespace, name)
    digits = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
