"""The journeys agent: journey-inputs → journey-states, journey-signals, and Transfers to other profiles.

Order of effects for a fetch: outputs, then changelog, then acknowledgement. Each changed profile is published
once a fetch. A repeated touchpoint republishes its profile: the crash may have come before the publication.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.codec import decode, encode
from schemas.errors import ContractError, Reason
from schemas.events import event_key
from schemas.keys import account_key, profile_key, tenant_key
from schemas.records import JourneySignal
from streams.journeys.meaning import meanings_of
from streams.journeys.partition import JourneyPartition
from streams.journeys.predictions import Predictions
from streams.journeys.publication import diff
from streams.journeys.published import NEVER, Publication
from streams.journeys.rules import JourneyRules
from streams.journeys.timeline import Effects, Timeline
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox, Place
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState
from streams.stitch.stitching import links_of

#: Kafka header of a tombstone on journey-states: the version that it carries, in decimal.
VERSION_HEADER: Final = "version"
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
        self._dead_letters = name(topics.DEAD_LETTERS.name)
        app.fetch_agent(topics.JOURNEY_INPUTS, "journeys", self.inputs)
        app.timer(interval=1.0)(self.deadlines)

    def _partition(self, number: int) -> JourneyPartition:
        on = self._rules.predict_next or self._rules.predict_risk
        return JourneyPartition(
            number, predictions=Predictions(self._catalogue, self._rules, number) if on else None
        )

    async def inputs(self, stream: Any) -> None:
        """Apply every fetch of journey-inputs."""
        async for event in stream.noack().events():
            async with self._publishing[event.message.partition]:
                await self._take(event)

    async def _take(self, event: Any) -> None:
        partition = self.state.of(event.message.partition)
        outputs, signals = self._app.outbox(), self._app.outbox()
        touched: dict[bytes, tuple[Timeline, Effects]] = {}
        for record in event.value:
            try:
                self._apply(record, partition, touched)
            except Exception as error:  # noqa: BLE001 (dead_letter tells bugs from poison)
                outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "journeys"))
        partition.last_input_at = self._clock()
        for key, (timeline, effects) in touched.items():
            self._publish_profile(key, timeline, effects, partition, outputs, signals)
        if not await self._publish(partition, outputs, signals):
            return
        changes = [
            change for key, (_, effects) in touched.items() for change in partition.changelog(key, effects)
        ]
        changes += (partition.publication(key) for key in touched)
        if partition.predictions is not None:
            changes += partition.predictions.changelog()
        changes += partition.intentions.done()
        await self._write_changelog(partition, changes)
        partition.timelines.cool()
        event.ack()

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
        signals = self._app.outbox()
        for key in due:
            timeline = partition.timelines[key]
            self._recall(timeline, now)
            self._publish_signals(key, timeline, partition, now, signals, by_deadline=True)
        if not await self._publish(partition, self._app.outbox(), signals):
            return
        told = [partition.publication(key) for key in due]
        await self._write_changelog(partition, [*told, *partition.intentions.done()])
        partition.timelines.cool()

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
        partition.accounts.expect(key, timeline, message)
        if name == "ResolvedTouchpoint":
            partition.watermark = max(partition.watermark, message["touchpoint"]["occurred_at"])
            predictions = partition.predictions
            new = predictions is not None and event_key(message["touchpoint"]) not in timeline.entries
            timeline.accept(message, record.value, effects)  # type: ignore[arg-type]
            if predictions is not None and new:
                predictions.arrived(timeline, message["touchpoint"], self._clock())
            return
        timeline.trail = None  # to be read again
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
        timeline.published = {signal.signal_id: signal for signal in held}
        timeline.unconfirmed = not confirmed

    def _publish_profile(
        self, key: bytes, timeline: Timeline, effects: Effects, partition: JourneyPartition, outputs: Outbox,
        signals: Outbox,
    ) -> None:  # fmt: skip
        for touchpoint in effects.evidence:
            for link in links_of(touchpoint, touchpoint["identifiers"]):
                outputs.add(self._links, tenant_key(timeline.tenant), encode("IdentityLink", link))
        for owner, value in effects.forwards:
            outputs.add(self._inputs, profile_key(timeline.tenant, owner), value)
        for transfer in effects.transfers:
            outputs.add(
                self._inputs,
                profile_key(timeline.tenant, transfer["profile_id"]),
                encode("Transfer", transfer),
            )
        timeline.freeze(self._catalogue, self._rules, effects)
        state, encoded = None, b""
        if not timeline.empty:
            state, encoded = timeline.sealed(self._catalogue, self._rules)
        for part in partition.accounts.tell(
            key, timeline.tenant, timeline.profile_id, timeline.version, state
        ):
            account = account_key(part["tenant"], part["account_id"])
            outputs.add(self._account_inputs, account, encode("AccountContribution", part))
        if state is not None:
            if partition.predictions is not None:
                encoded = partition.predictions.attach(encoded, timeline)
            outputs.add(self._states, key, encoded)
            now = partition.now(self._clock(), idle=False)
            self._publish_signals(key, timeline, partition, now, signals)
        elif effects.emptied or partition.intentions.ripe(key, 2 * timeline.version):
            self._publish_signals(key, timeline, partition, 0, signals)
            outputs.add(self._states, key, None, [(VERSION_HEADER, str(timeline.version).encode())])

    def _publish_signals(
        self, key: bytes, timeline: Timeline, partition: JourneyPartition, now: int, signals: Outbox,
        *, by_deadline: bool = False,
    ) -> None:  # fmt: skip
        if timeline.last is not None:
            now = max(
                now, timeline.last.now
            )  # what the clock made due is not open again because events lag behind
        now = partition.intentions.now(key, now)
        fold = timeline.fold(self._catalogue, self._rules)
        holding = [] if timeline.empty else fold.signals(now)
        # a deadline that passes without an input tells more than that input did: it needs the next version
        version = 2 * timeline.version + by_deadline
        # what was never published has applied nothing yet that could contradict its first input
        decides = -1 if by_deadline and timeline.last is None else version
        perhaps = list(partition.intentions.settle(key, decides))
        for signal, status in diff(timeline, holding, perhaps):
            record = JourneySignal(
                tenant=timeline.tenant, profile_id=timeline.profile_id, signal_id=signal.signal_id, kind=signal.kind,
                status=status, occurred_at=signal.occurred_at, rule=signal.rule, event_ids=list(signal.event_ids),
                details=dict(signal.details), version=version,
            )  # fmt: skip
            encoded = encode("JourneySignal", record)
            signals.add(self._signals, key, encoded)
            if status == "RAISED":
                partition.intentions.raising(key, version, now, encoded)
        due = None if timeline.empty else fold.next_deadline(now)
        partition.schedule(key, due)
        timeline.last = None
        if not timeline.empty:
            timeline.last = Publication(timeline.version, now, NEVER if due is None else due, self._meanings)

    async def _publish(self, partition: JourneyPartition, outputs: Outbox, signals: Outbox) -> bool:
        """Publish, but signals only after what they raise is written ahead. Everything else need not wait for that.

        False if the partition has gone meanwhile, and nothing may be raised: its new owner may have read the changelog
        before this was in it, and would not know what to retract.
        """
        ahead = partition.intentions.ahead()
        if not ahead:
            outputs.add_all(signals)
            await self._app.publisher.publish(outputs)
            return True
        place = self._changelog_of(partition)
        for key, value in ahead:
            outputs.add_at(place, key, value)
        self._written(partition, await self._app.publisher.publish(outputs))
        if not self.state.holds(partition.number, partition):
            return False
        await self._app.publisher.publish(signals)
        return True

    def _changelog_of(self, partition: JourneyPartition) -> Place:
        return self.state.topic_name, partition.number

    async def _write_changelog(
        self, partition: JourneyPartition, records: Iterable[tuple[bytes, bytes | None]]
    ) -> None:
        changes = self._app.outbox()
        place = self._changelog_of(partition)
        for key, value in records:
            changes.add_at(place, key, value)
        self._written(partition, await self._app.publisher.publish(changes))

    def _written(self, partition: JourneyPartition, ends: dict[Place, tuple[int, int]]) -> None:
        """Note what of a publication is in the changelog."""
        place = self._changelog_of(partition)
        if place in ends:
            self.state.written(partition.number, partition, *ends[place])
