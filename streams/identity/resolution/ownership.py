"""Ownership of a touchpoint: the one rule that stitch, journeys and replay share."""

from schemas.errors import ContractError, Reason
from schemas.records import Identifier, IdentityAssignment, IdentityCorrection, IdentityLink
from streams.identity.resolution.evidence import Node, Pair

#: Version of a touchpoint that was stitched while no assignment of its identifier was known.
NO_VERSION = -1


def owner_at(assignment: IdentityAssignment, occurred_at: int) -> str:
    """The profile that owns the identifier at an event time (UTC ms).

    A contested identifier has two profiles: one before `contested_from`, the other from then on.
    """
    contested_from = assignment["contested_from"]
    if contested_from is not None and occurred_at >= contested_from:
        assert assignment["contested_profile_id"] is not None
        return assignment["contested_profile_id"]
    return assignment["profile_id"]


def erased(assignment: IdentityAssignment, occurred_at: int) -> bool:
    """Whether the identifier's touchpoints of an event time (UTC ms) are erased: they belong to no profile."""
    correction = assignment["correction"]
    erased_at = None if correction is None else correction["erased_at"]
    return erased_at is not None and occurred_at <= erased_at


def must_resend_evidence(assignment: IdentityAssignment | None, version: int, occurred_at: int) -> bool:
    """Whether a profile must send the evidence of a touchpoint again that was stitched under `version`.

    Stitch did not know yet that a correction had cut the identifier's evidence. It may have dropped this touchpoint's
    evidence as nothing new. `occurred_at` is the touchpoint's event time in UTC ms.
    """
    correction = None if assignment is None else assignment["correction"]
    return correction is not None and version < correction["version"] and occurred_at > correction["cuts"][0]


def node_of(identifier: Identifier) -> Node:
    """An identifier as a hashable (type, value)."""
    return identifier["type"], identifier["value"]


def pair_of(message: IdentityLink | IdentityCorrection) -> Pair:
    """The two identifiers that a link or an UNLINK names. Raises ContractError if it names only one."""
    right = message["right"]
    if right is None:
        raise ContractError(Reason.INVALID, "a link between identifiers must name two")
    return node_of(message["left"]), node_of(right)
