"""What stitch reads: a touchpoint that is ready to be sent to its owner, and the assignments of identity."""

from dataclasses import dataclass
from typing import Any

from schemas import headers
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.errors import ContractError, Reason
from schemas.internal import erased_assignment
from schemas.records import Identifier, IdentityAssignment
from schemas.tracing.traceparent import HEADER as TRACEPARENT
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of
from streams.runtime.publisher import Headers
from streams.stitch.native_stitch import Stitched


@dataclass(slots=True)
class Accepted:
    """A touchpoint on its home partition, ready to be sent to its owner."""

    key: bytes  #: of its strongest identifier
    identifier: Identifier
    tenant: str
    occurred_at: int
    value: bytes
    traceparent: bytes | None = None  #: of the record that takes it on, where a trace follows the touchpoint


def accepted_by(native: Stitched) -> Accepted:
    """A touchpoint of the native core as Python keeps one."""
    tenant, type_, name, occurred_at, value = native.about()
    return Accepted(native.key, Identifier(type=type_, value=name), tenant, occurred_at, value)


def traced(traceparent: bytes | None) -> Headers:
    """The headers of a record with this `traceparent`; none without one."""
    return [] if traceparent is None else [(TRACEPARENT, traceparent)]


def check_first_hop(record: Any) -> None:
    """Raise ContractError if the record was sent on to this partition, and belongs on yet another one.

    Two workers that disagree would send it to and fro for ever. Only its own partition knows its owner, so nothing
    else may stitch it, whatever header its source has set.
    """
    if any(name == headers.ROUTED for name, _ in record.headers or ()):
        raise ContractError(
            Reason.INVALID,
            f"it was sent on already, and partition {record.partition} is not its own: give all workers one identity"
            " policy, then replay it (touchline dead-letters replay)",
        )


def assignment_in(record: Any) -> IdentityAssignment:
    """The assignment in a record of identity-assignments. Raises ContractError."""
    return erased_assignment(record) if record.value is None else IDENTITY_ASSIGNMENT.decode(record.value)


def corrected(assignments: list[IdentityAssignment]) -> set[tuple[str, Node]]:
    """The identifiers whose evidence these assignments cut: those that carry a correction of their own version."""
    return {
        (assignment["tenant"], node_of(assignment["identifier"]))
        for assignment in assignments
        if assignment["correction"] is not None
        and assignment["correction"]["version"] == assignment["version"]
    }
