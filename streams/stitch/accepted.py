"""Touchpoints that stitch has accepted, in Python or natively, and the evidence that they bring."""

from dataclasses import dataclass
from typing import Any

from schemas import headers
from schemas.errors import ContractError, Reason
from schemas.records import Identifier
from schemas.tracing.traceparent import HEADER as TRACEPARENT
from streams.runtime.publisher import Headers
from streams.runtime.transaction import FetchTransaction
from streams.stitch.native_stitch import Stitched
from streams.stitch.stitching import StitchState


@dataclass(slots=True)
class Accepted:
    """A touchpoint on its home partition, ready to be sent to its owner."""

    key: bytes  #: of its strongest identifier
    identifier: Identifier
    tenant: str
    occurred_at: int
    value: bytes
    traceparent: bytes | None = None  #: of the record that takes it on, where a trace follows the touchpoint


def accepted(native: Stitched) -> Accepted:
    """A touchpoint of the native core as Python keeps it: it may have to wait for identity's decision."""
    tenant, type_, name, occurred_at, value = native.about()
    return Accepted(native.key, Identifier(type=type_, value=name), tenant, occurred_at, value)


def send_evidence(
    native: Stitched,
    topic: str,
    fetch: FetchTransaction[StitchState],
    newcomers: set[bytes],
) -> bool:
    """Publish the new evidence of a touchpoint of the native core to the topic of links; `Stitch.accept` is its twin.

    Returns False, and does nothing, if the touchpoint has new evidence and another assignment has come since the core
    stitched it.
    """
    if native.links is None:
        return True
    state, assignment = fetch.state, native.assignment
    if state.assignments.get(native.key) is not assignment:
        return False
    occurred_at, links = native.links
    tenant, _, _ = native.key.partition(b"/")
    for evidence, link in links:
        if state.note_sent(evidence, occurred_at):
            fetch.publish(topic, tenant, link)
            fetch.write(evidence, link)
            if assignment is None:
                newcomers.add(native.key)
    return True


def traced(traceparent: bytes | None) -> Headers:
    """The headers that take a trace on; none without one."""
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
