"""What a decision tells the world: assignments to look up, profile changes to react to, Moves for journeys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from schemas.records import Identifier, IdentityAssignment, Move, ProfileChanged, ProfileChangeKind
from streams.identity.components import Decision
from streams.identity.resolution import Assignment, Node, own_profile

_CHANGES: Final = UUID("5b7d2a53-7c5e-5d0b-9d0f-9b6f6f8f5d3c")


@dataclass(frozen=True, slots=True)
class Cause:
    """The link that decided."""

    tenant: str
    version: int
    event_id: str
    occurred_at: int  #: event time, ms


def assignments_of(decision: Decision, cause: Cause) -> Iterator[IdentityAssignment]:
    """The assignments that a decision changed, as they are now."""
    for node, _, after in decision.changed:
        yield assignment_record(node, after, cause)


def moves_of(decision: Decision, cause: Cause) -> Iterator[Move]:
    """A Move to every profile that may hold touchpoints of an identifier and no longer owns all of them."""
    for node, before, after in decision.changed:
        held_by = _owners(before) if before else {own_profile(cause.tenant, node)}
        if held_by == {after.profile_id} and after.contested_from is None:
            continue
        for profile_id in sorted(held_by):
            yield Move(profile_id=profile_id, assignment=assignment_record(node, after, cause))


def changes_of(decision: Decision, cause: Cause) -> Iterator[ProfileChanged]:
    """The profiles that merged or split."""
    for survivor, gone, rule in decision.merged:
        yield _change("MERGED", survivor, gone, rule, cause)
    for shrunk, appeared, rule in decision.split:
        yield _change("SPLIT", shrunk, appeared, rule, cause)


def assignment_record(node: Node, assignment: Assignment, cause: Cause) -> IdentityAssignment:
    """An assignment as the record that is published."""
    return IdentityAssignment(
        tenant=cause.tenant, identifier=Identifier(type=node[0], value=node[1]), profile_id=assignment.profile_id,
        contested_from=assignment.contested_from, contested_profile_id=assignment.contested_profile_id,
        version=cause.version, event_id=cause.event_id, occurred_at=cause.occurred_at,
    )  # fmt: skip


def _owners(assignment: Assignment) -> set[str]:
    owners = {assignment.profile_id}
    if assignment.contested_profile_id is not None:
        owners.add(assignment.contested_profile_id)
    return owners


def _change(
    kind: ProfileChangeKind, profile_id: str, others: list[str], rule: str, cause: Cause
) -> ProfileChanged:
    name = "\x1f".join((cause.tenant, kind, profile_id, *others, str(cause.version)))
    return ProfileChanged(
        tenant=cause.tenant, change_id=str(uuid5(_CHANGES, name)), kind=kind, profile_id=profile_id, others=others,
        rule=rule, event_id=cause.event_id, occurred_at=cause.occurred_at, version=cause.version,
    )  # fmt: skip
