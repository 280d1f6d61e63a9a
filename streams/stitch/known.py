"""What stitch keeps of an assignment: no more than what its owner can be told from, for there are millions of them.

The record as it came would take 1 KB; most say no more than a version and a profile.
"""

from struct import Struct
from typing import Final, TypeAlias

from schemas.records import AssignmentCorrection, IdentityAssignment
from streams.identity.evidence import Node
from streams.identity.resolution import own_profile
from streams.ownership import erased, node_of, owner_at

#: Only the version when an identifier's profile is its own; version and UUID when it is another's; the assignment
#: itself when it says more: a contested identifier, a correction, or a profile whose id is no UUID.
Known: TypeAlias = int | bytes | IdentityAssignment

_LAYOUT: Final = Struct(">q16s")


def known_of(assignment: IdentityAssignment) -> Known:
    """What to keep of an assignment."""
    if assignment["contested_from"] is not None or assignment["correction"] is not None:
        return assignment
    profile_id, version = assignment["profile_id"], assignment["version"]
    if profile_id == own_profile(assignment["tenant"], node_of(assignment["identifier"])):
        return version
    try:
        packed = _LAYOUT.pack(version, bytes.fromhex(profile_id.replace("-", "")))
    except ValueError:
        return assignment
    return packed if _profile_of(packed) == profile_id else assignment


def version_of(known: Known) -> int:
    """The version of the assignment."""
    if isinstance(known, int):
        return known
    return int(_LAYOUT.unpack(known)[0]) if isinstance(known, bytes) else known["version"]


def correction_of(known: Known | None) -> AssignmentCorrection | None:
    """What corrections did to the identifier's evidence."""
    return known["correction"] if isinstance(known, dict) else None


def was_erased(known: Known | None, occurred_at: int) -> bool:
    """Whether what the identifier did at an event time was erased."""
    return isinstance(known, dict) and erased(known, occurred_at)


def owner_of(known: Known, tenant: str, node: Node, occurred_at: int) -> str:
    """The profile that owns what the identifier did at an event time."""
    if isinstance(known, int):
        return own_profile(tenant, node)
    return _profile_of(known) if isinstance(known, bytes) else owner_at(known, occurred_at)


def _profile_of(packed: bytes) -> str:
    digits = packed[8:].hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
