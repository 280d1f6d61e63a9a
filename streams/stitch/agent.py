"""The stitch agent: touchpoints → journey-inputs and identity-links; identity-assignments → its state.

A touchpoint on another partition than that of its strongest identifier is sent to the right one, once. The changelog
records a link as sent only after the broker has acknowledged it (streams/runtime/transaction.py).
A touchpoint with the first evidence of its identifier waits for identity's decision, at most DECISION_SECONDS. It then
goes to the profile that keeps it, not to one that is merged a moment later. No other touchpoint waits.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from schemas import headers, topics
from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode
from schemas.encoding.confluent import RegistryClient
from schemas.encoding.record_types import IDENTITY_CORRECTION, IDENTITY_LINK, TOUCHPOINT
from schemas.encoding.splicing import encode_resolved
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, partition_of, profile_key, tenant_key
from schemas.records import Touchpoint
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from schemas.touchpoint.rules import capped, check, check_content
from schemas.tracing.traceparent import parent_of
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.links import links_of
from streams.runtime import metrics
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler
from streams.runtime.publisher import Outbox
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction
from streams.stitch.accepted import Accepted, accepted, check_first_hop, send_evidence, traced
from streams.stitch.learning import Learning
from streams.stitch.native_stitch import NativeStitch, Stitched
from streams.stitch.registry_prefetch import prefetch_schemas
from streams.stitch.stitching import StitchState, erasures_of

#: Kafka's message.timestamp.type of a record that the broker stamped.
_LOG_APPEND_TIME: Final = 1
_CURRENT_TOUCHPOINT: Final = TOUCHPOINT.header
#: Records after which the agent looks whether its time slice is over.
RECORDS_BETWEEN_YIELDS: Final = 16
#: The longest wait of newcomers for identity's decision. A later decision only costs a Move.
DECISION_SECONDS: Final = 0.25


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
        self._native = NativeStitch(policy, catalogue)
        self.learning = Learning(app)
        self._scheduler = CooperativeScheduler()
        self.state: ChangelogState[StitchState] = ChangelogState(app, "stitch", lambda _: StitchState())
        app.tables.add(self.state)
        name = app.settings.topic
        self._touchpoints = name(topics.TOUCHPOINTS.name)
        self._links = name(topics.IDENTITY_LINKS.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        app.fetch_agent(topics.TOUCHPOINTS, "stitch", self.touchpoints)
        app.fetch_agent(topics.IDENTITY_ASSIGNMENTS, "stitch-assignments", self.assignments)

    async def touchpoints(self, stream: Any) -> None:
        """Stitch every fetch of touchpoints."""
        async for event in stream.noack().events():
            if self._registry is not None:
                await prefetch_schemas(self._registry, event.value)
            async with self._transaction(event) as fetch:
                ready, waiting, newcomers = await self.receive(event, fetch)
                self.stitch(ready, fetch.state, fetch.outputs)
                if waiting:
                    fetch.finish_in_background(
                        partial(self._stitch_newcomers, fetch.state, waiting, newcomers)
                    )

    async def receive(
        self, event: Any, fetch: FetchTransaction[StitchState]
    ) -> tuple[list["Accepted | Stitched"], list["Accepted"], set[bytes]]:
        """Read a fetch and publish its new evidence; mutates the state of `fetch`.

        Returns the touchpoints to stitch at once, those that wait for identity's decision, and the keys of the
        identifiers that it decides about. Yields to other agents: what they change counts for the whole fetch.
        """
        await self._scheduler.yield_if_due()
        state = fetch.state
        natively = self._take(event, state)
        left = [place for place, native in enumerate(natively) if native is None or native.links is not None]
        found: list[Accepted | Stitched | None] = [*natively]
        newcomers: set[bytes] = set()
        for number, place in enumerate(left):
            if not number % RECORDS_BETWEEN_YIELDS:
                await self._scheduler.yield_if_due()
            native, record = natively[place], event.value[place]
            if native is not None and send_evidence(native, self._links, fetch, newcomers):
                continue
            found[place] = None
            with fetch.dead_letter(record):
                found[place] = self.accept(record, fetch, newcomers)
        if not left:
            return [one for one in found if one is not None], [], newcomers
        ready: list[Accepted | Stitched] = []
        waiting: list[Accepted] = []
        for record, one in zip(event.value, found, strict=True):
            if one is None:
                continue
            if isinstance(one, Accepted):
                (waiting if one.key in newcomers else ready).append(one)
            elif (same := state.assignments.get(one.key) is one.assignment) and one.key not in newcomers:
                ready.append(one)
            elif same or one.links is not None:
                # identity is about to decide about its owner, or has decided after its evidence was sent
                (waiting if one.key in newcomers else ready).append(accepted(one))
            else:
                # identity has decided about its owner during a yield: perhaps to erase it
                with fetch.dead_letter(record):
                    again = self.accept(record, fetch, set())
                    if again is not None:
                        (waiting if again.key in newcomers else ready).append(again)
        return ready, waiting, newcomers

    def _take(self, event: Any, state: StitchState) -> list[Stitched | None]:
        """What the native core makes of a fetch; None for each record that `accept` must take."""
        partitions = self._app.topic_partitions
        taken = self._native.take(
            event.value, self._now(), state, event.message.partition,
            (partitions[self._touchpoints], partitions[self._inputs]),
        )  # fmt: skip
        if self._app.touchpoint_tracer is None:
            return taken
        # the record that the native core makes carries no header
        return [None if parent_of(of.headers) else one for of, one in zip(event.value, taken, strict=True)]

    def _transaction(self, event: Any) -> FetchTransaction[StitchState]:
        return FetchTransaction(self._app, self.state, event.message.partition, "stitch", event)

    async def _stitch_newcomers(
        self, state: StitchState, waiting: list[Accepted], newcomers: set[bytes], outputs: Outbox
    ) -> None:
        """Stitch newcomers once their owners are known, or after DECISION_SECONDS."""
        began = time.monotonic()
        await self._app.wait_until(lambda: state.knows_all(newcomers), DECISION_SECONDS)
        metrics.decided(time.monotonic() - began, in_time=state.knows_all(newcomers))
        self.stitch(waiting, state, outputs)

    async def assignments(self, stream: Any) -> None:
        """Learn every fetch of identity-assignments."""
        async for event in stream.noack().events():
            async with self._transaction(event) as fetch:
                ahead: list[Any] = []
                self.learning.learn(event.value, fetch, ahead)
                if ahead:
                    await self._app.internal.look()
                    self.learning.learn(ahead, fetch)

    def accept(
        self, record: Any, fetch: FetchTransaction[StitchState], newcomers: set[bytes]
    ) -> Accepted | None:
        """Read one record and publish its new evidence. Returns the touchpoint to stitch; None if there is none.

        Mutates the state of `fetch`. Adds the key of an identifier without an assignment to `newcomers` if the
        touchpoint has new evidence. Raises ContractError.
        """
        touchpoint, value = self._read(record)
        identifier, prepared = prepare(touchpoint, self._policy, self._catalogue)
        if prepared is not touchpoint or value[:10] != _CURRENT_TOUCHPOINT:
            check_content(prepared)  # journeys take nothing else
            value = TOUCHPOINT.encode(prepared)
        tenant = prepared["tenant"]
        if prepared["type"] == ERASURE_REQUESTED:
            for correction in erasures_of(prepared):
                fetch.publish(self._links, tenant_key(tenant), IDENTITY_CORRECTION.encode(correction))
            return None
        key = identifier_key(tenant, identifier)
        if self._misplaced(record, key):
            check_first_hop(record)
            fetch.publish(
                self._touchpoints, key, value, [(headers.ROUTED, b"1"), *traced(self._traceparent(record))]
            )
            return None
        occurred_at = prepared["occurred_at"]
        if fetch.state.erased(key, occurred_at):
            return None  # publishing an old file again must not restore an erased identifier
        for link in links_of(prepared, prepared["identifiers"]):
            evidence = fetch.state.learn(link, identifier)
            if evidence is not None:
                encoded = IDENTITY_LINK.encode(link)
                fetch.publish(self._links, tenant_key(tenant), encoded)
                fetch.write(evidence, encoded)
                if key not in fetch.state.assignments:
                    newcomers.add(key)
        return Accepted(key, identifier, tenant, occurred_at, value, self._traceparent(record))

    def stitch(self, accepted: Iterable[Accepted | Stitched], state: StitchState, outputs: Outbox) -> None:
        """Send touchpoints to their owners."""
        for one in accepted:
            if not isinstance(one, Accepted):
                outputs.records[self._inputs, one.partition].append(one.record)
                continue
            owner = state.owner(one.key, one.tenant, one.identifier, one.occurred_at)
            if owner is None:
                continue  # erased during the wait
            profile_id, version = owner
            outputs.add(
                self._inputs,
                profile_key(one.tenant, profile_id),
                encode_resolved(one.identifier, profile_id, version, one.value),
                traced(one.traceparent) or None,
            )

    def _traceparent(self, record: Any) -> bytes | None:
        tracer = self._app.touchpoint_tracer
        return None if tracer is None else tracer.forwarded("stitch", record)

    def _read(self, record: Any) -> tuple[Touchpoint, bytes]:
        """The touchpoint, and the record's value if it still encodes the touchpoint; else empty bytes."""
        name, touchpoint = decode(record.value, self._registry.lookup if self._registry else None)
        if name != "Touchpoint":
            raise ContractError(Reason.UNDECODABLE, f"expected a Touchpoint, found a {name}")
        received = capped(touchpoint, self._arrival(record))  # type: ignore[arg-type]
        check(received)
        return received, record.value if received is touchpoint else b""

    def _arrival(self, record: Any) -> int:
        """The latest possible reception of the record, UTC ms: the broker's stamp if there is one, else the clock.

        A producer's stamp is ignored, because the source controls it.
        """
        if record.timestamp_type == _LOG_APPEND_TIME:
            return int(record.timestamp)
        return self._now()

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _misplaced(self, record: Any, key: bytes) -> bool:
        return partition_of(key, self._app.topic_partitions[self._touchpoints]) != int(record.partition)
