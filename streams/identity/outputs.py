"""The outputs of a decision: assignments for lookup, profile changes for subscribers, Moves and Erases for journeys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from schemas.records import (
    AssignmentCorrection,
    Erase,
    Identifier,
    IdentityAssignment,
    Move,
    ProfileChanged,
    ProfileChangeKind,
)
from streams.identity.resolution.components import Decision
from streams.identity.resolution.corrections import (
    ERASURE,
    CorrectedIdentities,
    Mark,
    Outcome,
    changes_without_own_profiles,
)
from streams.identity.resolution.definition import Assignment, Node, own_profile

_CHANGES: Final = UUID("5b7d2a53-7c5e-5d0b-9d0f-9b6f6f8f5d3c")


@dataclass(frozen=True, slots=True)
class Cause:
    """The link or correction that caused a decision."""

    tenant: str
    version: int
    event_id: str
    occurred_at: int  #: event time in UTC ms


_NO_MARKS: Final[Mapping[Node, Mark]] = {}
_NOBODY: Final[frozenset[str]] = frozenset()


def assignments_of(
    decision: Decision, cause: Cause, marks: Mapping[Node, Mark] = _NO_MARKS
) -> Iterator[IdentityAssignment]:
    """The new assignments of the identifiers that a decision changed."""
    for node, _, after in decision.changed:
        yield assignment_record(node, after, cause, marks.get(node))


def moves_of(decision: Decision, cause: Cause, marks: Mapping[Node, Mark] = _NO_MARKS) -> Iterator[Move]:
    """A Move to each profile that may hold touchpoints of an identifier and no longer owns all of them."""
    for node, before, after in decision.changed:
        held_by = _holders(node, before, cause.tenant) | decision.held.get(node, _NOBODY)
        if held_by == {after.profile_id} and after.contested_from is None:
            continue
        for profile_id in sorted(held_by):
            yield Move(
                profile_id=profile_id, assignment=assignment_record(node, after, cause, marks.get(node))
            )


@dataclass(frozen=True, slots=True)
class CorrectionOutputs:
    """The outputs of a correction. Unlike a link's, they also include unchanged identifiers with a new mark."""

    #: assignment, and whether it is published as a tombstone: the identifier is erased and has no links
    assignments: list[tuple[IdentityAssignment, bool]]
    moves: list[Move]
    erases: list[Erase]
    changes: list[ProfileChanged]


def correction_outputs(
    outcome: Outcome, identities: CorrectedIdentities, cause: Cause, erased: Node | None = None
) -> CorrectionOutputs:
    """The outputs of a correction, or of evidence that a correction cut. `erased`: the identifier of an ERASE."""
    before = {node: was for node, was, _ in outcome.decision.changed}
    held = outcome.decision.held
    outputs = CorrectionOutputs([], [], [], [])
    for node in sorted({*before, *outcome.marked}):
        now = identities.assignment(node)
        record = assignment_record(node, now, cause, identities.mark_of(node))
        correction = record["correction"]
        gone = correction is not None and correction["erased_at"] is not None and not identities.linked(node)
        outputs.assignments.append((record, gone))
        if node != erased:
            held_by = _holders(node, before.get(node, now), cause.tenant) | held.get(node, _NOBODY)
            outputs.moves.extend(Move(profile_id=profile, assignment=record) for profile in sorted(held_by))
    if erased is None:
        outputs.changes.extend(changes_of(outcome.decision, cause))
        return outputs
    now = identities.assignment(erased)
    held_by = _holders(erased, before.get(erased, now), cause.tenant) | held.get(erased, _NOBODY)
    own = own_profile(cause.tenant, erased)
    record = assignment_record(erased, now, cause, identities.mark_of(erased))
    profiles = sorted({*held_by, own})
    outputs.erases.extend(Erase(profile_id=one, assignment=record, profile_ids=profiles) for one in profiles)
    if erased in outcome.marked:
        for kind, profile_id, others, rule in changes_without_own_profiles(
            outcome.decision, cause.tenant, erased
        ):
            outputs.changes.append(_change(kind, profile_id, others, rule, cause))
        outputs.changes.append(_change("ERASED", own, sorted(held_by - {own}), ERASURE, cause))
    return outputs


def changes_of(decision: Decision, cause: Cause) -> Iterator[ProfileChanged]:
    """The merges and splits of profiles."""
    for survivor, gone, rule in decision.merged:
        yield _change("MERGED", survivor, gone, rule, cause)
    for shrunk, appeared, rule in decision.split:
        yield _change("SPLIT", shrunk, appeared, rule, cause)


def assignment_record(
    node: Node, assignment: Assignment, cause: Cause, mark: Mark | None = None
) -> IdentityAssignment:
    """An assignment as the record that is published."""
    return IdentityAssignment(
        tenant=cause.tenant, identifier=Identifier(type=node[0], value=node[1]), profile_id=assignment.profile_id,
        contested_from=assignment.contested_from, contested_profile_id=assignment.contested_profile_id,
        version=cause.version, event_id=cause.event_id, occurred_at=cause.occurred_at,
        correction=None if mark is None else AssignmentCorrection(
            version=mark.version, erased_at=mark.erased_at, cuts=list(mark.cuts)
        ),
    )  # fmt: skip


def _holders(node: Node, before: Assignment | None, tenant: str) -> set[str]:
    """The profiles that may hold an identifier's touchpoints. Any other profile forwards them to one of these."""
    if before is None:
        return {own_profile(tenant, node)}
    holders = {before.profile_id}
    if before.contested_profile_id is not None:
        holders.add(before.contested_profile_id)
    return holders


def _change(
    kind: ProfileChangeKind, profile_id: str, others: list[str], rule: str, cause: Cause
) -> ProfileChanged:
    name = "\x1f".join((cause.tenant, kind, profile_id, *others, str(cause.version)))
    return ProfileChanged(
        tenant=cause.tenant, change_id=str(uuid5(_CHANGES, name)), kind=kind, profile_id=profile_id, others=others,
        rule=rule, event_id=cause.event_id, occurred_at=cause.occurred_at, version=cause.version,
    )  # fmt: skip
