"""The journeys agent: journey-inputs → journey-states, journey-signals, and Transfers to other profiles.

Each changed profile is published once a fetch (streams/runtime/transaction.py). A repeated touchpoint republishes its
profile: the crash may have come before the publication.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from schemas import headers, topics
from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode
from schemas.encoding.record_types import ACCOUNT_CONTRIBUTION, IDENTITY_LINK, JOURNEY_SIGNAL, TRANSFER
from schemas.errors import ContractError, Reason
from schemas.keys import account_key, profile_key, tenant_key
from schemas.touchpoint.events import event_key
from streams.identity.resolution.links import links_of
from streams.journeys.partition import JourneyPartition
from streams.journeys.prediction.predictions import Predictions
from streams.journeys.rules.meaning import meanings_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.difference import diff
from streams.journeys.signals.published import NEVER, Publication
from streams.journeys.timeline.timeline import Effects, Timeline
from streams.runtime.app import WorkerApp
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction

#: A partition without input for this long follows the clock instead of its events.
IDLE_SECONDS: Final = 5.0
#: Profiles whose deadlines one partition fires in one go; the others wait for the next second.
DUE_AT_ONCE: Final = 1000


class Journeys:
    """Wires the pure timelines to topics and state."""

    def __init__(
        self,
        app: WorkerApp,
        catalogue: Catalogue,
        rules: JourneyRules,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._catalogue = catalogue
        self._rules = rules
        self._clock = clock
        self._meanings = meanings_of(catalogue, rules).fingerprint
        #: by partition: inputs and deadlines take turns, since both go by what was published last
        self._publishing: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.state: ChangelogState[JourneyPartition] = ChangelogState(app, "journeys", self._partition)
        app.tables.add(self.state)
        name = app.settings.topic
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        self._links = name(topics.IDENTITY_LINKS.name)
        self._states = name(topics.JOURNEY_STATES.name)
        self._signals = name(topics.JOURNEY_SIGNALS.name)
        self._account_inputs = name(topics.ACCOUNT_INPUTS.name)
        app.fetch_agent(topics.JOURNEY_INPUTS, "journeys", self.inputs)
        app.timer(interval=1.0)(self.deadlines)

    def _partition(self, number: int) -> JourneyPartition:
        on = self._rules.predict_next or self._rules.predict_risk
        partition = JourneyPartition(
            number, predictions=Predictions(self._catalogue, self._rules, number) if on else None
        )
        partition.recall = lambda timeline: self._recall(timeline, partition.now(self._clock(), idle=False))
        return partition

    async def inputs(self, stream: Any) -> None:
        """Apply every fetch of journey-inputs."""
        async for event in stream.noack().events():
            async with self._publishing[event.message.partition]:
                await self.take(event)

    async def take(self, event: Any) -> None:
        """Apply one fetch."""
        async with self._transaction(event.message.partition, event) as fetch:
            partition = fetch.state
            touched: dict[bytes, tuple[Timeline, Effects]] = {}
            for record in event.value:
                with fetch.dead_letter(record):
                    self._apply(record, partition, touched)
            partition.last_input_at = self._clock()
            for key, (timeline, effects) in touched.items():
                self._publish_profile(key, timeline, effects, fetch)
            fetch.write_ahead = partition.write_ahead.ahead()
            fetch.write_after_outputs(lambda: self._changes(partition, touched))
        partition.timelines.evict()

    def _transaction(self, partition: int, event: Any = None) -> FetchTransaction[JourneyPartition]:
        return FetchTransaction(self._app, self.state, partition, "journeys", event)

    @staticmethod
    def _changes(
        partition: JourneyPartition, touched: dict[bytes, tuple[Timeline, Effects]]
    ) -> Iterator[tuple[bytes, bytes | None]]:
        for key, (_, effects) in touched.items():
            yield from partition.changelog(key, effects)
        yield from map(partition.publication, touched)
        if partition.predictions is not None:
            yield from partition.predictions.changelog()
        yield from partition.write_ahead.done()

    async def deadlines(self) -> None:
        """Raise the signals whose deadline has passed: by event time, or by the clock where nothing comes in."""
        for partition in self.state.all():
            async with self._publishing[partition.number]:
                ours = self.state.holds(partition.number, partition)
                if ours and not (self._app.rebalancing or self._app.in_recovery):
                    await self._fire(partition, self._clock())

    async def _fire(self, partition: JourneyPartition, clock: float) -> None:
        if not partition.last_input_at:
            partition.last_input_at = clock  # just recovered: what waits in Kafka may have come in time
        now = partition.now(clock, idle=clock - partition.last_input_at > IDLE_SECONDS)
        due = list(islice(partition.due(now), DUE_AT_ONCE))
        if not due:
            return
        async with self._transaction(partition.number) as fetch:
            for key in due:
                timeline = partition.timelines[key]
                self._recall(timeline, now)
                self._publish_signals(key, timeline, Effects(), fetch, now, by_deadline=True)
            fetch.write_ahead = partition.write_ahead.ahead()
            fetch.write_after_outputs(
                lambda: [*map(partition.publication, due), *partition.write_ahead.done()]
            )
        partition.timelines.evict()

    def _apply(
        self, record: Any, partition: JourneyPartition, touched: dict[bytes, tuple[Timeline, Effects]]
    ) -> None:
        name, message = decode(record.value)
        if name not in topics.JOURNEY_INPUTS.values:
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on journey-inputs")
        tenant = (message["touchpoint"] if name == "ResolvedTouchpoint" else message["assignment"])["tenant"]
        key = profile_key(tenant, message["profile_id"])
        if key in touched:
            timeline, effects = touched[key]
        else:
            timeline, effects = partition.timeline(key, tenant, message["profile_id"]), Effects()
            touched[key] = timeline, effects
            if not timeline.settled:
                self._resume(timeline, effects, partition)
            elif timeline.published is None:
                self._recall(timeline, partition.now(self._clock(), idle=False))
        timeline.version = self._app.settings.version(record.offset)
        partition.accounts.note_input(key, timeline, message)
        if name == "ResolvedTouchpoint":
            partition.hear(message["touchpoint"])
            predictions = partition.predictions
            new = predictions is not None and event_key(message["touchpoint"]) not in timeline.entries
            timeline.accept(message, record.value, effects)  # type: ignore[arg-type]
            if predictions is not None and new:
                predictions.arrived(timeline, message["touchpoint"], self._clock())
            return
        timeline.path = None  # to be read again
        if name in ("Move", "Erase"):
            timeline.move(message["assignment"], effects)
        else:
            timeline.receive(message, effects)  # type: ignore[arg-type]

    def _resume(self, timeline: Timeline, effects: Effects, partition: JourneyPartition) -> None:
        """First input after a restart: what held before it may have to be retracted, what is not ours has to go."""
        if not timeline.empty:
            key = profile_key(timeline.tenant, timeline.profile_id)
            partition.accounts.resume(key, timeline, timeline.state(self._catalogue, self._rules))
        self._recall(timeline, partition.now(self._clock(), idle=False))
        timeline.settled = True
        timeline.settle(effects)

    def _recall(self, timeline: Timeline, now: int) -> None:
        """Which signals subscribers know of: after a restart as far as that can be known, when unpacked exactly."""
        if timeline.published is not None:
            return
        timeline.recalled = True
        last = timeline.last
        confirmed = last is not None and last.meanings == self._meanings
        held = timeline.fold(self._catalogue, self._rules).signals(last.now if last and confirmed else now)
        timeline.published = {signal.subject_id: signal for signal in held}
        timeline.unconfirmed = not confirmed

    def _publish_profile(
        self, key: bytes, timeline: Timeline, effects: Effects, fetch: FetchTransaction[JourneyPartition]
    ) -> None:
        partition = fetch.state
        for touchpoint in effects.evidence:
            for link in links_of(touchpoint, touchpoint["identifiers"]):
                fetch.publish(self._links, tenant_key(timeline.tenant), IDENTITY_LINK.encode(link))
        for owner, value in effects.forwards:
            fetch.publish(self._inputs, profile_key(timeline.tenant, owner), value)
        for transfer in effects.transfers:
            fetch.publish(
                self._inputs,
                profile_key(timeline.tenant, transfer["profile_id"]),
                TRANSFER.encode(transfer),
            )
        timeline.summarise(self._catalogue, self._rules, effects)
        state, encoded = None, b""
        if not timeline.empty:
            state, encoded = timeline.sealed(self._catalogue, self._rules)
        for part in partition.accounts.contributions(
            key, timeline.tenant, timeline.profile_id, timeline.version, state
        ):
            account = account_key(part["tenant"], part["account_id"])
            fetch.publish(self._account_inputs, account, ACCOUNT_CONTRIBUTION.encode(part))
        if state is not None:
            if partition.predictions is not None:
                encoded = partition.predictions.attach(encoded, timeline)
            fetch.publish(self._states, key, encoded)
            now = partition.now(self._clock(), idle=False)
            self._publish_signals(key, timeline, effects, fetch, now)
        elif effects.emptied or partition.write_ahead.ripe(key, 2 * timeline.version):
            self._publish_signals(key, timeline, effects, fetch, 0)
            fetch.publish(self._states, key, None, [(headers.VERSION, str(timeline.version).encode())])

    def _publish_signals(
        self, key: bytes, timeline: Timeline, effects: Effects, fetch: FetchTransaction[JourneyPartition], now: int,
        *, by_deadline: bool = False,
    ) -> None:  # fmt: skip
        """Tell subscribers what came to hold and what holds no more: of a profile that is empty, nothing does."""
        partition = fetch.state
        if timeline.last is not None:
            now = max(
                now, timeline.last.now
            )  # what the clock made due is not open again because events lag behind
        now = partition.write_ahead.now(key, now)
        fold = timeline.fold(self._catalogue, self._rules)
        holding = [] if timeline.empty else fold.signals(now)
        # a deadline that passes without an input tells more than that input did: it needs the next version
        version = 2 * timeline.version + by_deadline
        # what was never published has applied nothing yet that could contradict its first input
        decides = -1 if by_deadline and timeline.last is None else version
        perhaps = list(partition.write_ahead.settle(key, decides))
        for told in diff(timeline, holding, effects, fold, perhaps):
            encoded = JOURNEY_SIGNAL.encode(told.record(timeline.tenant, timeline.profile_id, version))
            fetch.announced.add(self._signals, key, encoded)
            if told.reason is None:
                partition.write_ahead.raising(key, version, now, told.signal.event, encoded)
        due = None if timeline.empty else fold.next_deadline(now)
        partition.schedule(key, due)
        timeline.last = None
        if not timeline.empty:
            timeline.last = Publication(timeline.version, now, NEVER if due is None else due, self._meanings)
