"""The journeys agent: journey-inputs → journey-states, journey-signals, and Transfers to other profiles.

Each changed profile is published once a fetch (streams/runtime/transaction.py). A repeated touchpoint republishes its
profile: the crash may have come before the publication.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode
from schemas.errors import ContractError, Reason
from schemas.keys import profile_key
from schemas.touchpoint.events import event_key
from schemas.version_bounds import AheadError
from streams.journeys.cache import JourneyCache
from streams.journeys.changelog_keys import claim_key, is_claim
from streams.journeys.checkpoints import Checkpoints
from streams.journeys.journey import Journey
from streams.journeys.native_fetch import NativeFetch
from streams.journeys.native_journeys import build_of, native_journeys
from streams.journeys.partition import LONG_DUE, JourneyPartition
from streams.journeys.prediction.predictions import Predictions
from streams.journeys.publication import ProfilePublisher
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.timeline.effects import Effects
from streams.runtime import metrics
from streams.runtime.app import WorkerApp
from streams.runtime.cooperative import CooperativeScheduler, one_slice
from streams.runtime.fence import Fence
from streams.runtime.foreign_writes import ForeignWrites
from streams.runtime.publisher import OutgoingRecord
from streams.runtime.rejection import isolated
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction

#: A partition without input for this long follows the clock instead of its events.
IDLE_SECONDS: Final = 5.0
#: How long deadlines take turns with inputs in each second. Those that are left wait for the next one.
FIRING_SECONDS: Final = 0.5
#: Records, and profiles, after which the agent looks whether its time slice is over.
RECORDS_BETWEEN_YIELDS: Final = 8
DUE_AT_ONCE: Final = 1000  #: profiles of one turn: fewer, if they take longer than a time slice


class Journeys:
    """Wires the pure timelines to topics and state."""

    def __init__(
        self, app: WorkerApp, catalogue: Catalogue, rules: JourneyRules, clock: Callable[[], float] = time.time
    ) -> None:  # fmt: skip
        self._app = app
        self._catalogue = catalogue
        self._rules = rules
        self._clock = clock
        self._scheduler = CooperativeScheduler()
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.state: ChangelogState[JourneyPartition] = ChangelogState(app, "journeys", self._partition)
        app.tables.add(self.state)
        self._inputs = app.settings.topic(topics.JOURNEY_INPUTS.name)
        self._publisher = ProfilePublisher(catalogue, rules, app.settings.topic, clock)
        app.fetch_agent(topics.JOURNEY_INPUTS, "journeys", self.inputs)
        app.timer(interval=1.0)(self.deadlines)
        self.fence = Fence(app, self.state, claim_key, is_claim, JourneyPartition.correct)
        self._foreign = ForeignWrites()
        # as often as heartbeats: a zombie learns from one that it is a zombie
        app.timer(interval=app.settings.session_timeout / 4)(self.foreign_writes)
        self._checkpoints = Checkpoints.of(app, build_of(catalogue, rules), self._partition)
        if self._checkpoints is not None:
            self.state.checkpointed = self._checkpoints.load
            app.timer(interval=app.settings.checkpoint_seconds)(self.checkpoints)

    def _partition(self, number: int) -> JourneyPartition:
        on = self._rules.predict_next or self._rules.predict_risk
        return JourneyPartition(
            number,
            JourneyCache(native=native_journeys(self._catalogue, self._rules)),
            predictions=Predictions(self._catalogue, self._rules, number) if on else None,
        )

    async def inputs(self, stream: Any) -> None:
        """Apply every fetch of journey-inputs."""
        async for event in stream.noack().events():
            async with self.lock(event.message.partition):
                await self.take(event)

    def lock(self, partition: int) -> asyncio.Lock:
        """Inputs, deadlines and corrections of a partition take turns: each goes by what was published last."""
        return self._locks[partition]

    async def take(self, event: Any) -> None:
        """Apply one fetch."""
        async with self._transaction(event.message.partition, event) as fetch:
            partition = fetch.state
            touched: dict[bytes, tuple[Journey, Effects]] = {}
            native = NativeFetch(partition, touched, self._publisher.meanings)
            causes = await self._read(event.value, fetch, touched, native)
            partition.last_input_at = self._clock()
            partition.applied = self._app.settings.version(event.message.offset)
            for number, key in enumerate(native.in_order()):
                await self._publish_natively(native, fetch, key)
                with fetch.dead_letter(causes[key]):
                    self._publisher.publish(key, *touched[key], fetch)
                if not number % RECORDS_BETWEEN_YIELDS:
                    await self._scheduler.yield_if_due()
            await self._publish_natively(native, fetch)
            fetch.write_ahead = partition.write_ahead.ahead()
            fetch.write_after_outputs(native.changes)
        native.finish()
        partition.journeys.evict()

    async def _read(
        self, records: list[Any], fetch: FetchTransaction[JourneyPartition],
        touched: dict[bytes, tuple[Journey, Effects]], native: NativeFetch,
    ) -> dict[bytes, Any]:  # fmt: skip
        """Apply the records of a fetch. Returns the last record of each profile that Python has touched."""
        causes: dict[bytes, Any] = {}
        bounds = {
            "base": self._app.settings.version(0), "partitions": self._app.topic_partitions[self._inputs],
            "limit": self._app.internal.limit,
        }  # fmt: skip
        done = 0
        while done < len(records):
            done = native.take(records, done, self._clock(), bounds)
            if done < len(records):
                record = records[done]
                with fetch.dead_letter(record):
                    native.release(record.key)
                    causes[record.key] = record
                    try:
                        self._apply(record, fetch.state, touched)
                    except AheadError:
                        await self._app.internal.look()
                        self._apply(record, fetch.state, touched)
                done += 1
            if not done % RECORDS_BETWEEN_YIELDS:
                await self._scheduler.yield_if_due()
        return causes

    async def _publish_natively(
        self, native: NativeFetch, fetch: FetchTransaction[JourneyPartition], before: bytes | None = None
    ) -> None:
        """Publish the profiles of the native core that the fetch touched before another one, or all that are left."""
        now = fetch.state.now(self._clock(), idle=False)
        where = self._publisher.states, self._publisher.signals, self._inputs
        while native.publish(fetch, before, now, where):
            await self._scheduler.yield_if_due()

    def _transaction(self, partition: int, event: Any = None) -> FetchTransaction[JourneyPartition]:
        return FetchTransaction(self._app, self.state, partition, "journeys", event, self.fence)

    async def deadlines(self) -> None:
        """Raise the signals whose deadline has passed: by event time, or by the clock where nothing comes in."""
        until = self._clock() + FIRING_SECONDS
        waiting = list(self.state.all())
        while waiting:
            waiting = [partition for partition in waiting if await self._fire_some(partition)]
            if self._clock() >= until:
                return
            await asyncio.sleep(0)

    async def _fire_some(self, partition: JourneyPartition) -> bool:
        """Fire the deadlines of one turn. Returns whether others may have passed."""
        async with self.lock(partition.number):
            paused = self._app.rebalancing or self._app.in_recovery
            ours = self.state.holds(partition.number, partition)
            return ours and not paused and await self._fire(partition, self._clock())

    async def foreign_writes(self) -> None:
        """Correct what a former owner wrote to the changelog late, and schedule the signals that it perhaps raised."""
        if self._app.rebalancing or self._app.in_recovery:
            return
        known = self.state.known_offsets()
        ends = await self._app.log_reader.ends(self.state.topic_name, known)
        for number in self._foreign.confirmed(known, ends):
            async with self.lock(number):
                await self._correct(number, ends[number])

    async def _correct(self, number: int, end: int) -> None:
        if number not in self.state.known_offsets():
            return  # a rebalance took the partition meanwhile
        async with self._transaction(number) as fetch:
            known = self.state.last_known(number)
            records = await self._app.log_reader.read(self.state.topic_name, number, known + 1)
            if records is None:
                return  # the broker did not answer: the next look finds them again
            for record in records:
                for change in fetch.state.correct(record.key, record.value):
                    fetch.write(*change)
            # compaction may have removed the last records
            self.state.record_foreign_writes(number, fetch.state, records[-1].offset if records else end - 1)

    async def checkpoints(self) -> None:
        """Write a checkpoint of each partition that has changed."""
        if self._checkpoints is not None and not (self._app.rebalancing or self._app.in_recovery):
            await self._checkpoints.save_all(self.state, self.lock, self._transaction)

    async def _fire(self, partition: JourneyPartition, clock: float) -> bool:
        if not partition.last_input_at:
            partition.last_input_at = clock  # just recovered: what waits in Kafka may have come in time
        committed = self._app.committed_offset(self._inputs, partition.number)
        if committed:
            partition.applied = max(partition.applied, self._app.settings.version(committed - 1))
        partition.schedule_undecided()
        now = partition.now(clock, idle=clock - partition.last_input_at > IDLE_SECONDS)
        due = one_slice(partition.due(now), DUE_AT_ONCE, self._clock)
        if (first := next(due, None)) is None:
            return False
        fired: list[Callable[[], list[OutgoingRecord]]] = []
        passed: list[int] = []  #: when each was due, UTC ms
        async with self._transaction(partition.number) as fetch:
            for at, key in chain((first,), due):
                with isolated(f"the deadlines of {key!r}"):
                    fired.append(self._fire_one(key, partition, fetch, now))
                    if at != LONG_DUE:
                        passed.append(at)
            fetch.write_ahead = partition.write_ahead.ahead()
            fetch.write_after_outputs(
                lambda: [*chain.from_iterable(changes() for changes in fired), *partition.write_ahead.done()]
            )
        metrics.DUE_TO_SIGNAL.observe_all([max(0.0, self._clock() - due / 1000) for due in passed])
        partition.journeys.evict()
        return True

    def _fire_one(
        self, key: bytes, partition: JourneyPartition, fetch: FetchTransaction[JourneyPartition], now: int
    ) -> Callable[[], list[OutgoingRecord]]:
        """Publish the signals of a profile whose deadline has passed; its changelog records are to follow them."""
        native = partition.fire(key, now, self._publisher.meanings)
        if native is not None:
            signals, changes = native
            fetch.announced.extend((self._publisher.signals, partition.number), signals)
            return lambda: changes
        journey = partition.journeys[key]
        self._publisher.recall(journey, now)
        self._publisher.publish_signals(key, journey, Effects(), fetch, now, by_deadline=True)
        return lambda: [(*partition.publication(key), None)]

    def _apply(
        self, record: Any, partition: JourneyPartition, touched: dict[bytes, tuple[Journey, Effects]]
    ) -> None:
        name, message = decode(record.value)
        if name not in topics.JOURNEY_INPUTS.values:
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on journey-inputs")
        self._app.internal.check(name, message, record)
        tenant = (message["touchpoint"] if name == "ResolvedTouchpoint" else message["assignment"])["tenant"]
        key = profile_key(tenant, message["profile_id"])
        if key in touched:
            journey, effects = touched[key]
        else:
            journey, effects = partition.journey(key, tenant, message["profile_id"]), Effects()
            touched[key] = journey, effects
            if not journey.timeline.settled:
                self._resume(key, journey, effects, partition)
            elif journey.told.signals is None:
                self._publisher.recall(journey, partition.now(self._clock(), idle=False))
        timeline = journey.timeline
        timeline.version = self._app.settings.version(record.offset)
        partition.accounts.note_input(key, timeline, message)
        if name == "ResolvedTouchpoint":
            self._take_touchpoint(journey, message, record.value, effects, partition)
            return
        journey.path = None  # to be read again
        if name in ("Move", "Erase"):
            timeline.move(message["assignment"], effects)
        else:
            timeline.receive(message, effects)  # type: ignore[arg-type]

    def _take_touchpoint(
        self, journey: Journey, resolved: Any, value: bytes, effects: Effects, partition: JourneyPartition
    ) -> None:
        timeline, touchpoint = journey.timeline, resolved["touchpoint"]
        partition.hear(touchpoint)
        if partition.predictions is None:
            timeline.accept(resolved, value, effects)
            return
        event = event_key(touchpoint)
        before = timeline.entries.get(event)
        timeline.accept(resolved, value, effects)
        after = timeline.entries.get(event)
        if after is before:
            return  # forwarded, late beyond the horizon, erased, or a copy that does not count
        if before is not None:
            journey.path = None  # it has seen the copy that counted before
            return
        partition.predictions.arrived(journey, touchpoint, event, self._clock())

    def _resume(self, key: bytes, journey: Journey, effects: Effects, partition: JourneyPartition) -> None:
        """First input after a restart: what held before it may have to be retracted, what is not ours has to go."""
        timeline = journey.timeline
        if not timeline.empty:
            partition.accounts.resume(key, timeline, timeline.fold(self._catalogue, self._rules).account_id)
        self._publisher.recall(journey, partition.now(self._clock(), idle=False))
        timeline.settled = True
        timeline.settle(effects)
