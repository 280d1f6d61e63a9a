"""The stitch agent: touchpoints → journey-inputs and identity-links; identity-assignments → what it knows.

Order of effects for a fetch: outputs, then changelog, then acknowledgement. A crash in between repeats the
fetch, and every output is idempotent; a link is noted as sent only after the broker has it.

Touchpoints that bring the first evidence of their identifier wait a moment for what identity decides: so they go to
the profile that keeps them, not to one that is merged at once. Nothing else waits for them.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.codec import decode, decode_as, encode, encode_resolved, header
from schemas.confluent import RegistryClient
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, partition_of, profile_key, tenant_key
from schemas.records import Identifier, IdentityAssignment, Touchpoint
from schemas.touchpoints import capped, check
from streams.identity.evidence import Node
from streams.identity.policy import IdentityPolicy
from streams.identity.prepare import prepare
from streams.ownership import ASSIGNMENT_HEADER, node_of
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState
from streams.stitch.foreign import look_up_ahead
from streams.stitch.stitching import ERASURE_REQUESTED, StitchState, erasures_of, links_of

#: Marks a touchpoint that stitch already sent to its identifier's partition: it is never sent on again.
ROUTED_HEADER: Final = "touchline-routed"
#: Kafka's message.timestamp.type of a record that the broker stamped.
_LOG_APPEND_TIME: Final = 1
_CURRENT_TOUCHPOINT: Final = header("Touchpoint")
#: So long newcomers wait for decisions on them. What is decided later costs a Move, nothing else.
DECISION_SECONDS: Final = 0.25


@dataclass(slots=True)
class _Placed:
    """A touchpoint that is where it belongs, ready to be sent to its owner."""

    key: bytes  #: of its strongest identifier
    identifier: Identifier
    tenant: str
    occurred_at: int
    value: bytes


class Stitch:
    """Wires the pure stitching to topics and state."""

    def __init__(
        self,
        app: WorkerApp,
        policy: IdentityPolicy,
        catalogue: Catalogue,
        registry: RegistryClient | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._policy = policy
        self._catalogue = catalogue
        self._clock = clock  #: seconds
        self._registry = registry
        self.state: ChangelogState[StitchState] = ChangelogState(app, "stitch", lambda _: StitchState())
        app.tables.add(self.state)
        name = app.settings.topic
        self._touchpoints = name(topics.TOUCHPOINTS.name)
        self._links = name(topics.IDENTITY_LINKS.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        self._dead_letters = name(topics.DEAD_LETTERS.name)
        app.fetch_agent(topics.TOUCHPOINTS, "stitch", self.touchpoints)
        app.fetch_agent(topics.IDENTITY_ASSIGNMENTS, "stitch-assignments", self.assignments)

    async def touchpoints(self, stream: Any) -> None:
        """Stitch every fetch of touchpoints."""
        async for event in stream.noack().events():
            partition = event.message.partition
            state = self.state.of(partition)
            outputs, changes = self._app.outbox(), self._app.outbox()
            if self._registry is not None:
                await look_up_ahead(self._registry, event.value)
            placed: list[_Placed] = []
            newcomers: set[bytes] = set()
            for record in event.value:
                try:
                    self._place(record, state, outputs, changes, placed, newcomers)
                except Exception as error:  # noqa: BLE001 (dead_letter tells bugs from poison)
                    outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "stitch"))
            waiting = [one for one in placed if one.key in newcomers]
            self._stitch((one for one in placed if one.key not in newcomers), state, outputs)
            await self._publish(partition, state, outputs, changes)
            if waiting:
                await self._app.meanwhile(self._stitch_newcomers(event, state, waiting, newcomers))
            else:
                event.ack()

    async def _stitch_newcomers(
        self, event: Any, state: StitchState, waiting: list[_Placed], newcomers: set[bytes]
    ) -> None:
        """Finish a fetch when its newcomers' owners are known, or when that takes too long."""
        await self._app.until(lambda: state.knows_all(newcomers), DECISION_SECONDS)
        outputs = self._app.outbox()
        self._stitch(waiting, state, outputs)
        await self._app.publisher.publish(outputs)
        event.ack()

    async def assignments(self, stream: Any) -> None:
        """Learn every fetch of identity-assignments."""
        async for event in stream.noack().events():
            partition = event.message.partition
            state = self.state.of(partition)
            outputs, changes = self._app.outbox(), self._app.outbox()
            self._learn(event.value, state, partition, outputs, changes)
            await self._publish(partition, state, outputs, changes)
            event.ack()

    def _learn(
        self, records: list[Any], state: StitchState, partition: int, outputs: Outbox, changes: Outbox
    ) -> None:
        place = self.state.topic_name, partition
        learned: list[IdentityAssignment] = []
        for record in records:
            try:
                assignment = _assignment(record)
            except ContractError as error:
                outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "stitch"))
                continue
            if assignment is None:
                state.unassign(record.key)
                changes.add_at(place, record.key, None)
            elif state.assign(record.key, assignment):
                learned.append(assignment)
        for key in state.forget_evidence(_corrected(learned)):
            changes.add_at(place, key, None)
        for assignment in learned:
            key = identifier_key(assignment["tenant"], assignment["identifier"])
            changes.add_at(place, key, encode("IdentityAssignment", assignment))

    def _place(
        self, record: Any, state: StitchState, outputs: Outbox, changes: Outbox, placed: list[_Placed],
        newcomers: set[bytes],
    ) -> None:  # fmt: skip
        """Read one record, send its new evidence, and keep it for stitching if it is on the right partition."""
        touchpoint, value = self._read(record)
        identifier, prepared = prepare(touchpoint, self._policy, self._catalogue)
        if prepared is not touchpoint or value[:10] != _CURRENT_TOUCHPOINT:
            value = encode("Touchpoint", prepared)
        tenant = prepared["tenant"]
        if prepared["type"] == ERASURE_REQUESTED:
            for correction in erasures_of(prepared):
                outputs.add(self._links, tenant_key(tenant), encode("IdentityCorrection", correction))
            return
        key = identifier_key(tenant, identifier)
        if self._misplaced(record, key):
            outputs.add(self._touchpoints, key, value, [(ROUTED_HEADER, b"1")])
            return
        occurred_at = prepared["occurred_at"]
        if state.erased(key, occurred_at):
            return  # an old file that is published again brings nobody back
        for link in links_of(prepared, prepared["identifiers"]):
            evidence = state.learn(link, identifier)
            if evidence is not None:
                encoded = encode("IdentityLink", link)
                outputs.add(self._links, tenant_key(tenant), encoded)
                changes.add_at((self.state.topic_name, record.partition), evidence, encoded)
                if key not in state.assignments:
                    newcomers.add(key)
        placed.append(_Placed(key, identifier, tenant, occurred_at, value))

    def _stitch(self, placed: Iterable[_Placed], state: StitchState, outputs: Outbox) -> None:
        """Send touchpoints to their owners."""
        for one in placed:
            owner = state.owner(one.key, one.tenant, one.identifier, one.occurred_at)
            if owner is None:
                continue  # erased while it waited
            profile_id, version = owner
            outputs.add(
                self._inputs,
                profile_key(one.tenant, profile_id),
                encode_resolved(one.identifier, profile_id, version, one.value),
            )

    def _read(self, record: Any) -> tuple[Touchpoint, bytes]:
        """The touchpoint, and its encoding if it has the record's."""
        name, touchpoint = decode(record.value, self._registry.lookup if self._registry else None)
        if name != "Touchpoint":
            raise ContractError(Reason.UNDECODABLE, f"expected a Touchpoint, found a {name}")
        received = capped(touchpoint, self._arrival(record))  # type: ignore[arg-type]
        check(received)
        return received, record.value if received is touchpoint else b""

    def _arrival(self, record: Any) -> int:
        """UTC ms at which the record was there at the latest: by the broker's clock if it stamps them, else by ours.

        The producer's own stamp says nothing: it is the source's.
        """
        if record.timestamp_type == _LOG_APPEND_TIME:
            return int(record.timestamp)
        return int(self._clock() * 1000)

    def _misplaced(self, record: Any, key: bytes) -> bool:
        home = partition_of(key, self._app.topic_partitions[self._touchpoints])
        return home != record.partition and all(name != ROUTED_HEADER for name, _ in record.headers or ())

    async def _publish(self, partition: int, state: StitchState, outputs: Outbox, changes: Outbox) -> None:
        await self._app.publisher.publish(outputs)
        ends = await self._app.publisher.publish(changes)
        for first, last in ends.values():
            self.state.written(partition, state, first, last)


def _assignment(record: Any) -> IdentityAssignment | None:
    """What a record of identity-assignments says; an erased identifier's tombstone says it in a header."""
    value = record.value
    if value is None:
        value = next((value for name, value in record.headers or () if name == ASSIGNMENT_HEADER), None)
    return None if value is None else decode_as("IdentityAssignment", value)  # type: ignore[return-value]


def _corrected(assignments: list[IdentityAssignment]) -> set[tuple[str, Node]]:
    """The identifiers whose evidence these assignments cut: those that carry a correction of their own version."""
    return {
        (assignment["tenant"], node_of(assignment["identifier"]))
        for assignment in assignments
        if assignment["correction"] is not None
        and assignment["correction"]["version"] == assignment["version"]
    }
