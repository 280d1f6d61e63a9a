"""The identity agent: identity-links → identity-assignments, profile-changes, Moves and Erases for journeys.

Decisions are taken and published link by link, so that a fetch repeated after a crash publishes the very same
sequence whatever its boundaries: a version is the offset of the link or correction that decided.
"""

from collections.abc import Iterable
from typing import Any

from schemas import topics
from schemas.codec import decode, encode
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, profile_key
from schemas.records import IdentityAssignment, IdentityCorrection, IdentityLink, ProfileChanged
from streams.identity.corrections import Outcome
from streams.identity.evidence import Node
from streams.identity.policy import IdentityPolicy
from streams.identity.publication import Cause, assignments_of, changes_of, correction_of, moves_of
from streams.identity.state import (
    IdentityState,
    correction_change,
    link_change,
    mark_change,
    withdrawn_changes,
)
from streams.ownership import ASSIGNMENT_HEADER, VERSION_HEADER, node_of, pair_of
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState
from streams.runtime.turns import Turns


class Identity:
    """Wires the pure resolution to topics and state."""

    def __init__(self, app: WorkerApp, policy: IdentityPolicy) -> None:
        self._app = app
        self._turns = Turns()
        self.state: ChangelogState[IdentityState] = ChangelogState(
            app, "identity", lambda _: IdentityState(policy)
        )
        app.tables.add(self.state)
        name = app.settings.topic
        self._assignments = name(topics.IDENTITY_ASSIGNMENTS.name)
        self._changes = name(topics.PROFILE_CHANGES.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        self._dead_letters = name(topics.DEAD_LETTERS.name)
        app.fetch_agent(topics.IDENTITY_LINKS, "identity", self.links)

    async def links(self, stream: Any) -> None:
        """Resolve every fetch of evidence."""
        async for event in stream.noack().events():
            partition = event.message.partition
            state = self.state.of(partition)
            outputs, changes = self._app.outbox(), self._app.outbox()
            for record in event.value:
                try:
                    await self._resolve(record, state, outputs, changes)
                except Exception as error:  # noqa: BLE001 (dead_letter tells bugs from poison)
                    outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "identity"))
            await self._app.publisher.publish(outputs)
            for first, last in (await self._app.publisher.publish(changes)).values():
                self.state.written(partition, state, first, last)
            event.ack()

    async def _resolve(self, record: Any, state: IdentityState, outputs: Outbox, changes: Outbox) -> None:
        name, message = decode(record.value)
        if name == "IdentityLink":
            await self._link(message, record, state, outputs, changes)  # type: ignore[arg-type]
        elif name == "IdentityCorrection":
            await self._correct(message, record, state, outputs, changes)  # type: ignore[arg-type]
        else:
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on identity-links")

    async def _link(
        self, link: IdentityLink, record: Any, state: IdentityState, outputs: Outbox, changes: Outbox
    ) -> None:
        identities = state.tenant(link["tenant"])
        cause = self._cause(link, record)
        outcome = await self._turns.do(
            identities.observing(
                pair_of(link), link["occurred_at"], link["kind"] == "ASSERTED", cause.version
            )
        )
        if outcome is None:
            return
        if not outcome.counts:
            self._publish_correction(outcome, state, cause, record, outputs, changes)
            return
        changes.add_at((self.state.topic_name, record.partition), *link_change(link, record.value))
        marks = identities.corrections.marks
        for assignment in assignments_of(outcome.decision, cause, marks):
            self._publish_assignment(assignment, outputs)
            await self._turns.rest()
        for move in moves_of(outcome.decision, cause, marks):
            outputs.add(self._inputs, profile_key(cause.tenant, move["profile_id"]), encode("Move", move))
            await self._turns.rest()
        self._publish_changes(changes_of(outcome.decision, cause), outputs)

    async def _correct(
        self,
        correction: IdentityCorrection,
        record: Any,
        state: IdentityState,
        outputs: Outbox,
        changes: Outbox,
    ) -> None:
        identities = state.tenant(correction["tenant"])
        cause = self._cause(correction, record)
        until, erased = correction["occurred_at"], None
        if correction["kind"] == "ERASE":
            erased = node_of(correction["left"])
            outcome: Outcome | None = await self._turns.do(identities.erasing(erased, until, cause.version))
        else:
            outcome = await self._turns.do(identities.unlinking(pair_of(correction), until, cause.version))
        if outcome is None:
            return
        self._publish_correction(outcome, state, cause, record, outputs, changes, erased)
        if erased is None or erased in outcome.marked:
            place = self.state.topic_name, record.partition
            changes.add_at(place, *correction_change(correction, record.value))

    def _publish_correction(
        self,
        outcome: Outcome,
        state: IdentityState,
        cause: Cause,
        record: Any,
        outputs: Outbox,
        changes: Outbox,
        erased: Node | None = None,
    ) -> None:
        tenant, place = cause.tenant, (self.state.topic_name, record.partition)
        told = correction_of(outcome, state.tenant(tenant), cause, erased)
        for assignment, gone in told.assignments:
            self._publish_assignment(assignment, outputs, gone=gone)
            if node_of(assignment["identifier"]) in outcome.marked:
                changes.add_at(place, *mark_change(assignment, encode("IdentityAssignment", assignment)))
        for move in told.moves:
            outputs.add(self._inputs, profile_key(tenant, move["profile_id"]), encode("Move", move))
        for erase in told.erases:
            outputs.add(self._inputs, profile_key(tenant, erase["profile_id"]), encode("Erase", erase))
        self._publish_changes(told.changes, outputs)
        for key, value in withdrawn_changes(tenant, outcome):
            changes.add_at(place, key, value)

    def _publish_assignment(
        self, assignment: IdentityAssignment, outputs: Outbox, *, gone: bool = False
    ) -> None:
        """An erased identifier leaves a tombstone, whose headers tell stitch what the assignment would have said."""
        key = identifier_key(assignment["tenant"], assignment["identifier"])
        value = encode("IdentityAssignment", assignment)
        if gone:
            version = str(assignment["version"]).encode()
            outputs.add(self._assignments, key, None, [(VERSION_HEADER, version), (ASSIGNMENT_HEADER, value)])
        else:
            outputs.add(self._assignments, key, value)

    def _publish_changes(self, profile_changes: Iterable[ProfileChanged], outputs: Outbox) -> None:
        for change in profile_changes:
            key = profile_key(change["tenant"], change["profile_id"])
            outputs.add(self._changes, key, encode("ProfileChanged", change))

    def _cause(self, message: IdentityLink | IdentityCorrection, record: Any) -> Cause:
        version = self._app.settings.version(record.offset)
        return Cause(message["tenant"], version, message["event_id"], message["occurred_at"])
