"""What identity decided, as records: assignments, profile changes, Moves and Erases, and identity's changelog.

Decisions on few identifiers are made into records by the native core, all others here.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Final

from schemas import headers, topics
from schemas.encoding.record_types import ERASE, IDENTITY_ASSIGNMENT, MOVE, PROFILE_CHANGED
from schemas.encoding.splicing import encode_move
from schemas.keys import identifier_key, profile_key
from schemas.records import IdentityAssignment, IdentityLink, ProfileChanged
from streams.identity.outputs import Cause, assignments_of, changes_of, correction_outputs, moves_of
from streams.identity.resolution.components import Decision
from streams.identity.resolution.corrections import Mark, Outcome
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of
from streams.identity.state import IdentityState, link_change, mark_change, withdrawn_changes
from streams.runtime import metrics
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler
from streams.runtime.native_core import chosen_core
from streams.runtime.transaction import FetchTransaction

#: Identifiers of a decision that the native core publishes in one go: few enough for a time slice.
NATIVE_CHANGES: Final = 64

log: Final = logging.getLogger("touchline.worker")


class DecisionPublisher:
    """Adds the records of decisions to the transactions of one worker, and tells of quarantines in its log."""

    def __init__(self, app: WorkerApp, scheduler: CooperativeScheduler) -> None:
        self._app = app
        self._scheduler = scheduler
        #: by tenant, the quarantined identifiers and the oversized components that the log tells of
        self._told_of: dict[str, tuple[int, int]] = {}
        name = app.settings.topic
        self._assignments = name(topics.IDENTITY_ASSIGNMENTS.name)
        self._changes = name(topics.PROFILE_CHANGES.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)

    async def link(
        self,
        link: IdentityLink,
        value: bytes,
        outcome: Outcome,
        cause: Cause,
        fetch: FetchTransaction[IdentityState],
    ) -> None:
        """Publish what a link makes go out, and keep the link (`value`, as it came) as evidence."""
        fetch.write(*link_change(link, value))
        marks = fetch.state.tenant(cause.tenant).corrections.marks
        if self._natively(outcome.decision, cause, marks, fetch):
            self._tell_of_bounds(cause.tenant, fetch.state)
            return
        encoded: dict[Node, bytes] = {}
        for assignment in assignments_of(outcome.decision, cause, marks):
            encoded[node_of(assignment["identifier"])] = self._assignment(assignment, fetch)
            await self._scheduler.yield_if_due()
        for move in moves_of(outcome.decision, cause, marks):
            value = encode_move(move["profile_id"], encoded[node_of(move["assignment"]["identifier"])])
            fetch.publish(self._inputs, profile_key(cause.tenant, move["profile_id"]), value)
            await self._scheduler.yield_if_due()
        self._profile_changes(changes_of(outcome.decision, cause), fetch)
        self._tell_of_bounds(cause.tenant, fetch.state)

    def _natively(
        self,
        decision: Decision,
        cause: Cause,
        marks: Mapping[Node, Mark],
        fetch: FetchTransaction[IdentityState],
    ) -> bool:
        """Publish a small decision by the native core. Returns False, and does nothing, if Python must do it."""
        core = chosen_core()
        changed = decision.changed
        if core is None or decision.held or len(changed) > NATIVE_CHANGES:
            return False
        if marks and any(node in marks for node, _, _ in changed):
            return False
        if not changed:
            return True
        partitions = self._app.topic_partitions
        topics_of = self._assignments, self._inputs, self._changes
        found = core.decision_records(
            (cause.tenant, cause.version, cause.event_id, cause.occurred_at),
            changed, decision.merged, decision.split, tuple(partitions[topic] for topic in topics_of),
        )  # fmt: skip
        for topic, records in zip(topics_of, found, strict=True):
            for partition, record in records:
                fetch.outputs.records[topic, partition].append(record)
        for kind, groups in (("MERGED", decision.merged), ("SPLIT", decision.split)):
            for _, _, rule in groups:
                metrics.PROFILE_CHANGES.add(1, kind, rule.partition(":")[0])
        return True

    def _tell_of_bounds(self, tenant: str, state: IdentityState) -> None:
        """Say in the log what is beyond a bound of the policy, and once more when there is twice as much."""
        identities = state.tenant(tenant).identities
        quarantined, oversized = identities.quarantined, identities.oversized_components
        told_quarantined, told_oversized = self._told_of.get(tenant, (0, 0))
        if quarantined > 2 * told_quarantined:
            told_quarantined = quarantined
            log.warning(
                "tenant %s: %s identifiers are quarantined, since limits refused so many links at their profiles;"
                " `touchline explain` tells which, and [limits] of the identity policy says how many",
                tenant, f"{quarantined:,}",
            )  # fmt: skip
        if oversized > 2 * told_oversized:
            told_oversized = oversized
            log.warning(
                "tenant %s: links would unite more than component_size identifiers %s, so each of these stands for"
                " itself; `touchline explain` tells which, and [limits] of the identity policy says how many",
                tenant, "once" if oversized == 1 else f"{oversized:,} times",
            )  # fmt: skip
        self._told_of[tenant] = told_quarantined, told_oversized

    def correction(
        self,
        outcome: Outcome,
        cause: Cause,
        fetch: FetchTransaction[IdentityState],
        erased: Node | None = None,
    ) -> None:
        """Publish what a correction makes go out; `erased` is the identifier that it erases."""
        tenant = cause.tenant
        outputs = correction_outputs(outcome, fetch.state.tenant(tenant), cause, erased)
        for assignment, gone in outputs.assignments:
            self._assignment(assignment, fetch, gone=gone)
            if node_of(assignment["identifier"]) in outcome.marked:
                fetch.write(*mark_change(assignment, IDENTITY_ASSIGNMENT.encode(assignment)))
        for move in outputs.moves:
            fetch.publish(self._inputs, profile_key(tenant, move["profile_id"]), MOVE.encode(move))
        for erase in outputs.erases:
            fetch.publish(self._inputs, profile_key(tenant, erase["profile_id"]), ERASE.encode(erase))
        self._profile_changes(outputs.changes, fetch)
        for key, value in withdrawn_changes(tenant, outcome):
            fetch.write(key, value)

    def _assignment(
        self, assignment: IdentityAssignment, fetch: FetchTransaction[IdentityState], *, gone: bool = False
    ) -> bytes:
        """Publish an assignment; `gone`: as a tombstone, whose headers carry version and assignment to stitch.

        Returns the encoded assignment.
        """
        key = identifier_key(assignment["tenant"], assignment["identifier"])
        value = IDENTITY_ASSIGNMENT.encode(assignment)
        if gone:
            version = str(assignment["version"]).encode()
            fetch.publish(
                self._assignments, key, None, [(headers.VERSION, version), (headers.ASSIGNMENT, value)]
            )
        else:
            fetch.publish(self._assignments, key, value)
        return value

    def _profile_changes(
        self, profile_changes: Iterable[ProfileChanged], fetch: FetchTransaction[IdentityState]
    ) -> None:
        for change in profile_changes:
            key = profile_key(change["tenant"], change["profile_id"])
            fetch.publish(self._changes, key, PROFILE_CHANGED.encode(change))
            cause, _, _ = change["rule"].partition(":")
            metrics.PROFILE_CHANGES.add(1, change["kind"], cause)
