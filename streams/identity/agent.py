"""The identity agent: identity-links → identity-assignments, profile-changes, and Moves for journeys.

Decisions are taken and published link by link, so that a fetch repeated after a crash publishes the very same
sequence whatever its boundaries: a version is the offset of the link that decided.
"""

from typing import Any

from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import ContractError
from schemas.keys import identifier_key, profile_key
from schemas.records import IdentityLink
from streams.identity.components import TenantIdentities
from streams.identity.policy import IdentityPolicy
from streams.identity.publication import Cause, assignments_of, changes_of, moves_of
from streams.identity.resolution import Evidence
from streams.ownership import node_of
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState
from streams.stitch.stitching import link_key


class IdentityState:
    """The link maps of the tenants on one partition, resolved."""

    def __init__(self, policy: IdentityPolicy) -> None:
        self._policy = policy
        self._tenants: dict[str, TenantIdentities] = {}

    def tenant(self, tenant: str) -> TenantIdentities:
        """The identities of one tenant."""
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = TenantIdentities(tenant, self._policy)
        return found

    def restore(self, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 (the value says it all)
        """Apply one changelog record: a piece of evidence, at its earliest time."""
        if value is None:
            return
        link: IdentityLink = decode_as("IdentityLink", value)  # type: ignore[assignment]
        observed = link["kind"] == "OBSERVED"
        evidence = Evidence(
            observed=link["occurred_at"] if observed else None,
            asserted=None if observed else link["occurred_at"],
        )
        self.tenant(link["tenant"]).restore((node_of(link["left"]), node_of(link["right"])), evidence)

    def restored(self) -> None:
        """Resolution happens when a component is first asked for."""


class Identity:
    """Wires the pure resolution to topics and state."""

    def __init__(self, app: WorkerApp, policy: IdentityPolicy) -> None:
        self._app = app
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
                    self._resolve(record, state, outputs, changes)
                except ContractError as error:
                    outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "identity"))
            await self._app.publisher.publish(outputs)
            for first, last in (await self._app.publisher.publish(changes)).values():
                self.state.written(partition, first, last)
            event.ack()

    def _resolve(self, record: Any, state: IdentityState, outputs: Outbox, changes: Outbox) -> None:
        link: IdentityLink = decode_as("IdentityLink", record.value)  # type: ignore[assignment]
        tenant = link["tenant"]
        pair = node_of(link["left"]), node_of(link["right"])
        decision = state.tenant(tenant).observe(pair, link["occurred_at"], link["kind"] == "ASSERTED")
        if decision is None:
            return
        changes.add_at((self.state.topic_name, record.partition), link_key(link), record.value)
        cause = Cause(
            tenant, self._app.settings.version(record.offset), link["event_id"], link["occurred_at"]
        )
        for assignment in assignments_of(decision, cause):
            key = identifier_key(tenant, assignment["identifier"])
            outputs.add(self._assignments, key, encode("IdentityAssignment", assignment))
        for move in moves_of(decision, cause):
            outputs.add(self._inputs, profile_key(tenant, move["profile_id"]), encode("Move", move))
        for change in changes_of(decision, cause):
            outputs.add(
                self._changes, profile_key(tenant, change["profile_id"]), encode("ProfileChanged", change)
            )
