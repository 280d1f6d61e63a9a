"""Compact assignments: the form in which stitch keeps millions of assignments in memory.

An assignment's record takes 1 KB. Most assignments need no more than a version and a profile id, in 24 bytes.
"""

from struct import Struct
from typing import Final, TypeAlias

from schemas.records import AssignmentCorrection, IdentityAssignment
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import erased, node_of, owner_at

#: int: the version, if the identifier is the anchor of its profile. bytes: version and UUID of any other profile.
#: IdentityAssignment: a contested identifier, a correction, or a profile id that is no canonical UUID.
CompactAssignment: TypeAlias = int | bytes | IdentityAssignment

_LAYOUT: Final = Struct(">q16s")


def compact(assignment: IdentityAssignment) -> CompactAssignment:
    """The compact form of an assignment."""
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


def version_of(assignment: CompactAssignment) -> int:
    """The assignment's version."""
    if isinstance(assignment, int):
        return assignment
    return int(_LAYOUT.unpack(assignment)[0]) if isinstance(assignment, bytes) else assignment["version"]


def correction_of(assignment: CompactAssignment | None) -> AssignmentCorrection | None:
    """The correction that cut the identifier's evidence; None if none did."""
    return assignment["correction"] if isinstance(assignment, dict) else None


def was_erased(assignment: CompactAssignment | None, occurred_at: int) -> bool:
    """Whether the identifier's touchpoints of an event time (UTC ms) are erased."""
    return isinstance(assignment, dict) and erased(assignment, occurred_at)


def owner_of(assignment: CompactAssignment, tenant: str, node: Node, occurred_at: int) -> str:
    """The profile that owns the identifier at an event time (UTC ms)."""
    if isinstance(assignment, int):
        return own_profile(tenant, node)
    return _profile_of(assignment) if isinstance(assignment, bytes) else owner_at(assignment, occurred_at)


def _profile_of(packed: bytes) -> str:
    digits = packed[8:].hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
