"""The identity agent: identity-links → identity-assignments, profile-changes, Moves and Erases for journeys.

It publishes decisions link by link, so that a fetch that is repeated after a crash publishes the same sequence,
wherever the fetch begins and ends. The version of a decision is the offset of its link or correction.

A partition decides in turns. What does not end within a turn waits, each region (resolution/regions.py) in a lane of
its own, and lanes of tenants and regions that had less time go first (lanes.py). A fetch is acknowledged once all its
records are decided, so a commit never passes what waits.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas import headers, topics
from schemas.encoding.codec import decode
from schemas.encoding.record_types import ERASE, IDENTITY_ASSIGNMENT, MOVE, PROFILE_CHANGED
from schemas.encoding.splicing import encode_move
from schemas.errors import ContractError, Reason
from schemas.keys import identifier_key, profile_key
from schemas.records import IdentityAssignment, IdentityLink, ProfileChanged
from streams.identity.backlog import Backlog
from streams.identity.lanes import Job
from streams.identity.outputs import Cause, assignments_of, changes_of, correction_outputs, moves_of
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.components import Decision
from streams.identity.resolution.corrections import CorrectedIdentities, Mark, Outcome
from streams.identity.resolution.evidence import Node, Pair
from streams.identity.resolution.ownership import node_of, pair_of
from streams.identity.resolution.regions import Region
from streams.identity.resolution.resumable import Resumable
from streams.identity.state import (
    IdentityState,
    correction_change,
    link_change,
    mark_change,
    withdrawn_changes,
)
from streams.runtime import metrics
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler, Turn, seconds
from streams.runtime.native_core import chosen_core
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction

#: Seconds of work after which a partition commits what it decided, and looks what else waits.
TURN_SECONDS: Final = 0.2
#: Identifiers of a decision that the native core publishes in one go: few enough for a time slice.
NATIVE_CHANGES: Final = 64
_CORRECTIONS: Final = ("ERASE", "UNLINK")

log: Final = logging.getLogger("touchline.worker")


class Identity:
    """Connects the pure resolution with its topics and its state."""

    def __init__(self, app: WorkerApp, policy: IdentityPolicy) -> None:
        self._app = app
        self._scheduler = CooperativeScheduler()
        #: by tenant, the quarantined identifiers and the oversized components that the log tells of
        self._told_of: dict[str, tuple[int, int]] = {}
        self.backlogs: dict[int, Backlog] = {}  #: by partition, what is read and not decided
        self.state: ChangelogState[IdentityState] = ChangelogState(
            app, "identity", lambda _: IdentityState(policy)
        )
        app.tables.add(self.state)
        name = app.settings.topic
        self._assignments = name(topics.IDENTITY_ASSIGNMENTS.name)
        self._changes = name(topics.PROFILE_CHANGES.name)
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        self._links = name(topics.IDENTITY_LINKS.name)
        app.fetch_agent(topics.IDENTITY_LINKS, "identity", self.links)

    async def links(self, stream: Any) -> None:
        """Decide on each fetch of links and corrections.

        Fetches that arrive meanwhile join in, so that what is quickly decided need not wait for what is not.
        """
        stream = stream.noack()
        async for event in stream.events():
            partition = event.message.partition
            state = self.state.of(partition)
            backlog = self.backlogs[partition] = Backlog(stream.is_current)
            backlog.add(event)
            while backlog:
                await self._turn(partition, backlog)
                if not self.state.holds(partition, state):
                    break  # the partition's owner reads again what is left; what comes from now on is for a new state
                backlog.drop_stale()
                while backlog.has_room and (more := stream.take_waiting()) is not None:
                    backlog.add(more)

    async def _turn(self, partition: int, backlog: Backlog) -> None:
        """Decide for TURN_SECONDS, and commit that."""
        turn = Turn(TURN_SECONDS)
        async with FetchTransaction(self._app, self.state, partition, "identity", backlog) as fetch:
            if backlog.lanes:
                await self._enter_lanes(backlog, fetch.state)
            while backlog:
                began = seconds()
                lane, job = backlog.take()
                ended = True
                with fetch.dead_letter(job.record):
                    ended = await self.decide(job, fetch, turn)
                    if ended:
                        self._note_rules(job, fetch)
                (backlog.decided if ended else backlog.pause)(job, lane, seconds() - began)
                if turn.over:
                    break
                await self._scheduler.yield_if_due(turn)
            await self._enter_lanes(backlog, fetch.state)

    async def _enter_lanes(self, backlog: Backlog, state: IdentityState) -> None:
        """Let what waits in order wait in the lanes of its regions."""
        while backlog.in_order:
            job = backlog.in_order.popleft()
            tenant, region = "", Region()
            try:
                message = self._read(job.record)
                tenant, identities = message["tenant"], state.tenant(message["tenant"]).identities
                await self._scheduler.run(identities.resolve_restored(_nodes(message)))
                region = identities.region(_nodes(message))
            except Exception as error:
                log.debug("a record that cannot be decided waits to become a dead letter", exc_info=error)
            backlog.lanes.add(job, tenant, region)
            await self._scheduler.yield_if_due()

    async def decide(self, job: Job, fetch: FetchTransaction[IdentityState], turn: Turn) -> bool:
        """Go on with a job until it is at its end, or until a turn is over. Returns whether it is at its end.

        Raises ContractError for a record that is neither a link nor a correction.
        """
        if job.work is None:
            job.message = self._read(job.record)
            identities = fetch.state.tenant(job.message["tenant"])
            job.work = _work(job.message, identities, self._cause(job).version)
            try:
                next(job.work)
            except StopIteration as end:
                await self._publish(job, end.value, fetch)
                return True
            # before it changes anything: once it is paused, nobody can tell whom it concerns
            job.region = identities.identities.region(_nodes(job.message))
        found = await self._scheduler.run_within(job.work, turn)
        if found is not None:
            await self._publish(job, found[0], fetch)
        return found is not None

    def _note_rules(self, job: Job, fetch: FetchTransaction[IdentityState]) -> None:
        """Keep under which rules this was decided, and that all is, if the record's header says so."""
        tenant = job.message["tenant"]
        for change in fetch.state.rules_change(tenant):
            fetch.write(*change)
        for name, value in job.record.headers or ():
            if name == headers.POLICY_APPLIED:
                for change in fetch.state.applied(tenant, value.decode(errors="replace")):
                    fetch.write(*change)

    async def _publish(
        self, job: Job, outcome: Outcome | None, fetch: FetchTransaction[IdentityState]
    ) -> None:
        if outcome is None:
            return
        message, cause = job.message, self._cause(job)
        if message["kind"] in _CORRECTIONS:
            erased = node_of(message["left"]) if message["kind"] == "ERASE" else None
            self._publish_correction(outcome, cause, fetch, erased)
            if erased is None or erased in outcome.marked:
                fetch.write(*correction_change(message, job.record.value))
        elif not outcome.counts:
            self._publish_correction(outcome, cause, fetch)
        else:
            await self._publish_link(message, job.record.value, outcome, cause, fetch)

    async def _publish_link(
        self,
        link: IdentityLink,
        value: bytes,
        outcome: Outcome,
        cause: Cause,
        fetch: FetchTransaction[IdentityState],
    ) -> None:
        fetch.write(*link_change(link, value))
        marks = fetch.state.tenant(cause.tenant).corrections.marks
        if self._publish_natively(outcome.decision, cause, marks, fetch):
            self._tell_of_bounds(cause.tenant, fetch.state)
            return
        encoded: dict[Node, bytes] = {}
        for assignment in assignments_of(outcome.decision, cause, marks):
            encoded[node_of(assignment["identifier"])] = self._publish_assignment(assignment, fetch)
            await self._scheduler.yield_if_due()
        for move in moves_of(outcome.decision, cause, marks):
            value = encode_move(move["profile_id"], encoded[node_of(move["assignment"]["identifier"])])
            fetch.publish(self._inputs, profile_key(cause.tenant, move["profile_id"]), value)
            await self._scheduler.yield_if_due()
        self._publish_changes(changes_of(outcome.decision, cause), fetch)
        self._tell_of_bounds(cause.tenant, fetch.state)

    def _publish_natively(
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

    def _publish_changes(
        self, profile_changes: Iterable[ProfileChanged], fetch: FetchTransaction[IdentityState]
    ) -> None:
        for change in profile_changes:
            key = profile_key(change["tenant"], change["profile_id"])
            fetch.publish(self._changes, key, PROFILE_CHANGED.encode(change))
            cause, _, _ = change["rule"].partition(":")
            metrics.PROFILE_CHANGES.add(1, change["kind"], cause)

    def _read(self, record: Any) -> Any:
        """The link or correction in a record. Raises ContractError for any other record."""
        core = chosen_core()
        if core is not None:
            link = core.read_link(record, self._app.topic_partitions[self._links])
            if link is not None:
                return link
        name, message = decode(record.value)
        if name not in topics.IDENTITY_LINKS.values:
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on identity-links")
        self._app.internal.check(name, message, record)
        _nodes(message)
        return message

    def _cause(self, job: Job) -> Cause:
        message = job.message
        version = self._app.settings.version(job.record.offset)
        return Cause(message["tenant"], version, message["event_id"], message["occurred_at"])


def _nodes(message: Any) -> Pair | tuple[Node]:
    """The identifiers that a link or a correction names. Raises ContractError if it must name two and does not."""
    return (node_of(message["left"]),) if message["kind"] == "ERASE" else pair_of(message)


def _work(message: Any, identities: CorrectedIdentities, version: int) -> Resumable[Outcome | None]:
    """The decision on a link or a correction, to be run."""
    kind, at = message["kind"], message["occurred_at"]
    if kind == "ERASE":
        return identities.erase_resumably(node_of(message["left"]), at, version)
    if kind == "UNLINK":
        return identities.unlink_resumably(pair_of(message), at, version)
    return identities.observe_resumably(pair_of(message), at, kind == "ASSERTED", version)
