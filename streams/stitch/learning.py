"""What stitch learns from identity: the owners of identifiers, and which evidence corrections cut."""

from typing import Any

from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.internal import erased_assignment
from schemas.keys import identifier_key
from schemas.records import IdentityAssignment
from schemas.version_bounds import AheadError
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import OutgoingRecord
from streams.runtime.transaction import FetchTransaction
from streams.stitch.native_stitch import learn_plain
from streams.stitch.stitching import StitchState


class Learning:
    """Takes the records of identity-assignments."""

    def __init__(self, app: WorkerApp) -> None:
        self._app = app
        self._topic = app.settings.topic(topics.IDENTITY_ASSIGNMENTS.name)

    def learn(
        self, records: list[Any], fetch: FetchTransaction[StitchState], ahead: list[Any] | None = None
    ) -> None:
        """Add assignments to the state, and forget the evidence that their corrections cut.

        Adds records whose version seems to be from the future to `ahead`; without it they become dead letters.
        """
        changes: list[OutgoingRecord] = []
        corrected: list[IdentityAssignment] = []
        place = 0
        partitions = self._app.topic_partitions[self._topic]
        while place < len(records):
            place, plain = learn_plain(records, place, fetch.state, self._app.internal.limit, partitions)
            changes += plain
            if place == len(records):
                break
            record = records[place]
            place += 1
            with fetch.dead_letter(record):
                assignment = assignment_in(record)
                try:
                    self._app.internal.check("IdentityAssignment", assignment, record)
                except AheadError:
                    if ahead is None:
                        raise
                    ahead.append(record)
                    continue
                if fetch.state.assign(record.key, assignment):
                    key = identifier_key(assignment["tenant"], assignment["identifier"])
                    came_as_kept = record.value is not None and record.value.startswith(
                        IDENTITY_ASSIGNMENT.header
                    )
                    value = record.value if came_as_kept else IDENTITY_ASSIGNMENT.encode(assignment)
                    changes.append((key, value, None))
                    corrected.append(assignment)
        if corrected:
            for key in fetch.state.forget_evidence(_corrected(corrected)):
                fetch.write(key, None)
        fetch.write_all(changes)


def assignment_in(record: Any) -> IdentityAssignment:
    """The assignment in a record of identity-assignments. Raises ContractError."""
    return erased_assignment(record) if record.value is None else IDENTITY_ASSIGNMENT.decode(record.value)


def _corrected(assignments: list[IdentityAssignment]) -> set[tuple[str, Node]]:
    """The identifiers whose evidence these assignments cut: those that carry a correction of their own version."""
    return {
        (assignment["tenant"], node_of(assignment["identifier"]))
        for assignment in assignments
        if assignment["correction"] is not None
        and assignment["correction"]["version"] == assignment["version"]
    }
