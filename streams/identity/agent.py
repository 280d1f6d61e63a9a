"""The identity agent: identity-links → identity-assignments, profile-changes, Moves and Erases for journeys.

It publishes decisions link by link, so that a fetch that is repeated after a crash publishes the same sequence,
wherever the fetch begins and ends. The version of a decision is the offset of its link or correction.
"""

from collections.abc import Iterable
from typing import Any

from schemas import headers, topics
from schemas.encoding.codec import decode
from schemas.encoding.record_types import ERASE, IDENTITY_ASSIGNMENT, MOVE, PROFILE_CHANGED
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, profile_key
from schemas.records import IdentityAssignment, IdentityCorrection, IdentityLink, ProfileChanged
from streams.identity.outputs import Cause, assignments_of, changes_of, correction_outputs, moves_of
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.corrections import Outcome
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of, pair_of
from streams.identity.state import (
    IdentityState,
    correction_change,
    link_change,
    mark_change,
    withdrawn_changes,
)
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction


class Identity:
    """Connects the pure resolution with its topics and its state."""

    def __init__(self, app: WorkerApp, policy: IdentityPolicy) -> None:
        self._app = app
        self._scheduler = CooperativeScheduler()
        self.state: ChangelogState[IdentityState] = ChangelogState(
            app, "identity", lambda _: IdentityState(policy)
        )
        app.tables.add(self.state)
        name = app.settings.topic
        self._assignments = name(topics.IDENTITY_ASSIGNMENTS.name)
        self._changes = name(topics.PROFILE_CHANGES.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        app.fetch_agent(topics.IDENTITY_LINKS, "identity", self.links)

    async def links(self, stream: Any) -> None:
        """Decide on each fetch of links and corrections."""
        async for event in stream.noack().events():
            async with FetchTransaction(
                self._app, self.state, event.message.partition, "identity", event
            ) as fetch:
                for record in event.value:
                    with fetch.dead_letter(record):
                        await self.resolve(record, fetch)

    async def resolve(self, record: Any, fetch: FetchTransaction[IdentityState]) -> None:
        """Decide on one link or correction. Raises ContractError for any other record."""
        name, message = decode(record.value)
        if name not in topics.IDENTITY_LINKS.values:
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on identity-links")
        self._app.internal.check(name, message, record)
        if name == "IdentityLink":
            await self._link(message, record, fetch)  # type: ignore[arg-type]
        else:
            await self._correct(message, record, fetch)  # type: ignore[arg-type]

    async def _link(self, link: IdentityLink, record: Any, fetch: FetchTransaction[IdentityState]) -> None:
        identities = fetch.state.tenant(link["tenant"])
        cause = self._cause(link, record)
        outcome = await self._scheduler.run(
            identities.observe_resumably(
                pair_of(link), link["occurred_at"], link["kind"] == "ASSERTED", cause.version
            )
        )
        if outcome is None:
            return
        if not outcome.counts:
            self._publish_correction(outcome, cause, fetch)
            return
        fetch.write(*link_change(link, record.value))
        marks = identities.corrections.marks
        for assignment in assignments_of(outcome.decision, cause, marks):
            self._publish_assignment(assignment, fetch)
            await self._scheduler.yield_if_due()
        for move in moves_of(outcome.decision, cause, marks):
            fetch.publish(self._inputs, profile_key(cause.tenant, move["profile_id"]), MOVE.encode(move))
            await self._scheduler.yield_if_due()
        self._publish_changes(changes_of(outcome.decision, cause), fetch)

    async def _correct(
        self, correction: IdentityCorrection, record: Any, fetch: FetchTransaction[IdentityState]
    ) -> None:
        identities = fetch.state.tenant(correction["tenant"])
        cause = self._cause(correction, record)
        until, erased = correction["occurred_at"], None
        if correction["kind"] == "ERASE":
            erased = node_of(correction["left"])
            outcome: Outcome | None = await self._scheduler.run(
                identities.erase_resumably(erased, until, cause.version)
            )
        else:
            outcome = await self._scheduler.run(
                identities.unlink_resumably(pair_of(correction), until, cause.version)
            )
        if outcome is None:
            return
        self._publish_correction(outcome, cause, fetch, erased)
        if erased is None or erased in outcome.marked:
            fetch.write(*correction_change(correction, record.value))

    def _publish_correction(
        self,
        outcome: Outcome,
        cause: Cause,
        fetch: FetchTransaction[IdentityState],
        erased: Node | None = None,
    ) -> None:
        tenant = cause.tenant
        outputs = correction_outputs(outcome, fetch.state.tenant(tenant), cause, erased)
        for assignment, gone in outputs.assignments:
            self._publish_assignment(assignment, fetch, gone=gone)
            if node_of(assignment["identifier"]) in outcome.marked:
                fetch.write(*mark_change(assignment, IDENTITY_ASSIGNMENT.encode(assignment)))
        for move in outputs.moves:
            fetch.publish(self._inputs, profile_key(tenant, move["profile_id"]), MOVE.encode(move))
        for erase in outputs.erases:
            fetch.publish(self._inputs, profile_key(tenant, erase["profile_id"]), ERASE.encode(erase))
        self._publish_changes(outputs.changes, fetch)
        for key, value in withdrawn_changes(tenant, outcome):
            fetch.write(key, value)

    def _publish_assignment(
        self, assignment: IdentityAssignment, fetch: FetchTransaction[IdentityState], *, gone: bool = False
    ) -> None:
        """Publish an assignment; `gone`: as a tombstone, whose headers carry version and assignment to stitch."""
        key = identifier_key(assignment["tenant"], assignment["identifier"])
        value = IDENTITY_ASSIGNMENT.encode(assignment)
        if gone:
            version = str(assignment["version"]).encode()
            fetch.publish(
                self._assignments, key, None, [(headers.VERSION, version), (headers.ASSIGNMENT, value)]
            )
        else:
            fetch.publish(self._assignments, key, value)

    def _publish_changes(
        self, profile_changes: Iterable[ProfileChanged], fetch: FetchTransaction[IdentityState]
    ) -> None:
        for change in profile_changes:
            key = profile_key(change["tenant"], change["profile_id"])
            fetch.publish(self._changes, key, PROFILE_CHANGED.encode(change))

    def _cause(self, message: IdentityLink | IdentityCorrection, record: Any) -> Cause:
        version = self._app.settings.version(record.offset)
        return Cause(message["tenant"], version, message["event_id"], message["occurred_at"])
