"""Whose a touchpoint is: the one rule that stitch, journeys and replay share."""

from schemas.records import Identifier, IdentityAssignment

#: Version that a touchpoint carries when no assignment of its identifier is known.
NO_VERSION = -1


def owner_at(assignment: IdentityAssignment, occurred_at: int) -> str:
    """Whose the assigned identifier is at an event time: a contested one is cut by time."""
    contested_from = assignment["contested_from"]
    if contested_from is not None and occurred_at >= contested_from:
        assert assignment["contested_profile_id"] is not None
        return assignment["contested_profile_id"]
    return assignment["profile_id"]


def node_of(identifier: Identifier) -> tuple[str, str]:
    """An identifier as a hashable (type, value)."""
    return identifier["type"], identifier["value"]
