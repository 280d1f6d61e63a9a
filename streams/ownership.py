"""Whose a touchpoint is: the one rule that stitch, journeys and replay share."""

from schemas.errors import ContractError, Reason
from schemas.records import Identifier, IdentityAssignment, IdentityCorrection, IdentityLink

#: Version that a touchpoint carries when no assignment of its identifier is known.
NO_VERSION = -1


def owner_at(assignment: IdentityAssignment, occurred_at: int) -> str:
    """Whose the assigned identifier is at an event time: a contested one is cut by time."""
    contested_from = assignment["contested_from"]
    if contested_from is not None and occurred_at >= contested_from:
        assert assignment["contested_profile_id"] is not None
        return assignment["contested_profile_id"]
    return assignment["profile_id"]


def erased(assignment: IdentityAssignment, occurred_at: int) -> bool:
    """Whether what the identifier did at an event time was erased: it belongs to nobody."""
    correction = assignment["correction"]
    erased_at = None if correction is None else correction["erased_at"]
    return erased_at is not None and occurred_at <= erased_at


def sent_again(assignment: IdentityAssignment | None, version: int, occurred_at: int) -> bool:
    """Whether the evidence of a touchpoint stitched under `version` must be sent once more.

    Stitch did not know yet that earlier evidence was cut, and may have held this one back as nothing new.
    """
    correction = None if assignment is None else assignment["correction"]
    return correction is not None and version < correction["version"] and occurred_at > correction["cuts"][0]


def node_of(identifier: Identifier) -> tuple[str, str]:
    """An identifier as a hashable (type, value)."""
    return identifier["type"], identifier["value"]


def pair_of(message: IdentityLink | IdentityCorrection) -> tuple[tuple[str, str], tuple[str, str]]:
    """The two identifiers that a link or an UNLINK names. Raises ContractError if there is only one."""
    right = message["right"]
    if right is None:
        raise ContractError(Reason.INVALID, "a link between identifiers must name two")
    return node_of(message["left"]), node_of(right)
