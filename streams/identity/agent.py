"""The identity agent: identity-links → identity-assignments, profile-changes, Moves and Erases for journeys.

It publishes decisions link by link, so that a fetch that is repeated after a crash publishes the same sequence,
wherever the fetch begins and ends. The version of a decision is the offset of its link or correction.

A partition decides in turns. What does not end within a turn waits, each region (resolution/regions.py) in a lane of
its own, and lanes of tenants and regions that had less time go first (lanes.py). A fetch is acknowledged once all its
records are decided, so a commit never passes what waits.
"""

import logging
from typing import Any, Final

from schemas import headers, topics
from schemas.encoding.codec import decode
from schemas.errors import ContractError, Reason
from streams.identity.backlog import Backlog
from streams.identity.lanes import Job
from streams.identity.outputs import Cause
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.publishing import DecisionPublisher
from streams.identity.resolution.corrections import CorrectedIdentities, Outcome
from streams.identity.resolution.evidence import Node, Pair
from streams.identity.resolution.ownership import node_of, pair_of
from streams.identity.resolution.regions import Region
from streams.identity.resolution.resumable import Resumable
from streams.identity.state import IdentityState, correction_change
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler, Turn, seconds
from streams.runtime.native_core import chosen_core
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction

#: Seconds of work after which a partition commits what it decided, and looks what else waits.
TURN_SECONDS: Final = 0.2
_CORRECTIONS: Final = ("ERASE", "UNLINK")

log: Final = logging.getLogger("touchline.worker")


class Identity:
    """Connects the pure resolution with its topics and its state."""

    def __init__(self, app: WorkerApp, policy: IdentityPolicy) -> None:
        self._app = app
        self._scheduler = CooperativeScheduler()
        self._publisher = DecisionPublisher(app, self._scheduler)
        self.backlogs: dict[int, Backlog] = {}  #: by partition, what is read and not decided
        self.state: ChangelogState[IdentityState] = ChangelogState(
            app, "identity", lambda _: IdentityState(policy)
        )
        app.tables.add(self.state)
        self._links = app.settings.topic(topics.IDENTITY_LINKS.name)
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
                message = self.read(job.record)
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
            job.message = self.read(job.record)
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
            self._publisher.correction(outcome, cause, fetch, erased)
            if erased is None or erased in outcome.marked:
                fetch.write(*correction_change(message, job.record.value))
        elif not outcome.counts:
            self._publisher.correction(outcome, cause, fetch)
        else:
            await self._publisher.link(message, job.record.value, outcome, cause, fetch)

    def read(self, record: Any) -> Any:
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
