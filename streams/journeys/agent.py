"""The journeys agent: journey-inputs → journey-states, journey-signals, and Transfers to other profiles.

Order of effects for a fetch: outputs, then changelog, then acknowledgement. Each changed profile is published
once a fetch. A repeated touchpoint republishes its profile: the crash may have come before the publication.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from schemas import topics
from schemas.catalogue import Catalogue
from schemas.codec import decode, encode
from schemas.errors import ContractError, Reason
from schemas.keys import profile_key
from schemas.records import JourneySignal
from streams.journeys.partition import JourneyPartition
from streams.journeys.publication import diff
from streams.journeys.rules import JourneyRules
from streams.journeys.timeline import Effects, Timeline
from streams.runtime.app import WorkerApp
from streams.runtime.publisher import Outbox
from streams.runtime.rejection import dead_letter
from streams.runtime.state import ChangelogState

#: Kafka header of a tombstone on journey-states: the version that it carries, in decimal.
VERSION_HEADER: Final = "version"
#: A partition without input for this long follows the clock instead of its events.
IDLE_SECONDS: Final = 5.0


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
        self.state: ChangelogState[JourneyPartition] = ChangelogState(app, "journeys", JourneyPartition)
        app.tables.add(self.state)
        name = app.settings.topic
        self._inputs = name(topics.JOURNEY_INPUTS.name)
        self._states = name(topics.JOURNEY_STATES.name)
        self._signals = name(topics.JOURNEY_SIGNALS.name)
        self._dead_letters = name(topics.DEAD_LETTERS.name)
        app.fetch_agent(topics.JOURNEY_INPUTS, "journeys", self.inputs)
        app.timer(interval=1.0)(self.deadlines)

    async def inputs(self, stream: Any) -> None:
        """Apply every fetch of journey-inputs."""
        async for event in stream.noack().events():
            partition = self.state.of(event.message.partition)
            outputs = self._app.outbox()
            touched: dict[bytes, tuple[Timeline, Effects]] = {}
            for record in event.value:
                try:
                    self._apply(record, partition, touched)
                except ContractError as error:
                    outputs.add(self._dead_letters, record.key or b"", dead_letter(record, error, "journeys"))
            partition.last_input_at = self._clock()
            for key, (timeline, effects) in touched.items():
                self._publish_profile(key, timeline, effects, partition, outputs)
            await self._app.publisher.publish(outputs)
            await self._write_changelog(partition, touched)
            event.ack()

    async def deadlines(self) -> None:
        """Raise the signals whose deadline has passed: by event time, or by the clock where nothing comes in."""
        if self._app.rebalancing or self._app.in_recovery:
            return
        clock = self._clock()
        for partition in self.state.all():
            now = partition.now(clock, idle=clock - partition.last_input_at > IDLE_SECONDS)
            outputs = self._app.outbox()
            for key in list(partition.due(now)):
                timeline = partition.timelines[key]
                self._publish_signals(key, timeline, now, outputs)
                partition.schedule(key, timeline.fold(self._catalogue, self._rules).next_deadline(now))
            await self._app.publisher.publish(outputs)

    def _apply(
        self, record: Any, partition: JourneyPartition, touched: dict[bytes, tuple[Timeline, Effects]]
    ) -> None:
        name, message = decode(record.value)
        if name not in ("ResolvedTouchpoint", "Move", "Transfer"):
            raise ContractError(Reason.UNDECODABLE, f"a {name} does not belong on journey-inputs")
        tenant = (message["touchpoint"] if name == "ResolvedTouchpoint" else message["assignment"])["tenant"]
        key = profile_key(tenant, message["profile_id"])
        if key in touched:
            timeline, effects = touched[key]
        else:
            timeline, effects = partition.timeline(key, tenant, message["profile_id"]), Effects()
            touched[key] = timeline, effects
            if timeline.published is None:
                self._resume(timeline, effects, partition)
        timeline.version = self._app.settings.version(record.offset)
        if name == "ResolvedTouchpoint":
            partition.watermark = max(partition.watermark, message["touchpoint"]["occurred_at"])
            timeline.accept(message, record.value, effects)  # type: ignore[arg-type]
        elif name == "Move":
            timeline.move(message["assignment"], effects)
        else:
            timeline.receive(message, effects)  # type: ignore[arg-type]

    def _resume(self, timeline: Timeline, effects: Effects, partition: JourneyPartition) -> None:
        """First input after a restart: what held before it may have to be retracted, what is not ours has to go."""
        held = timeline.fold(self._catalogue, self._rules).signals(partition.now(self._clock(), idle=False))
        timeline.published = {signal.signal_id: signal for signal in held}
        timeline.unconfirmed = True
        timeline.settle(effects)

    def _publish_profile(
        self, key: bytes, timeline: Timeline, effects: Effects, partition: JourneyPartition, outputs: Outbox
    ) -> None:
        for owner, value in effects.forwards:
            outputs.add(self._inputs, profile_key(timeline.tenant, owner), value)
        for transfer in effects.transfers:
            outputs.add(
                self._inputs,
                profile_key(timeline.tenant, transfer["profile_id"]),
                encode("Transfer", transfer),
            )
        if timeline.entries:
            state = timeline.state(self._catalogue, self._rules)
            outputs.add(self._states, key, encode("JourneyState", state))
            now = partition.now(self._clock(), idle=False)
            self._publish_signals(key, timeline, now, outputs)
            partition.schedule(key, timeline.fold(self._catalogue, self._rules).next_deadline(now))
        elif effects.emptied:
            self._publish_signals(key, timeline, 0, outputs)
            outputs.add(self._states, key, None, [(VERSION_HEADER, str(timeline.version).encode())])

    def _publish_signals(self, key: bytes, timeline: Timeline, now: int, outputs: Outbox) -> None:
        holding = timeline.fold(self._catalogue, self._rules).signals(now) if timeline.entries else []
        for signal, status in diff(timeline, holding):
            record = JourneySignal(
                tenant=timeline.tenant, profile_id=timeline.profile_id, signal_id=signal.signal_id, kind=signal.kind,
                status=status, occurred_at=signal.occurred_at, rule=signal.rule, event_ids=list(signal.event_ids),
                details=dict(signal.details), version=timeline.version,
            )  # fmt: skip
            outputs.add(self._signals, key, encode("JourneySignal", record))

    async def _write_changelog(
        self, partition: JourneyPartition, touched: dict[bytes, tuple[Timeline, Effects]]
    ) -> None:
        changes = self._app.outbox()
        place = (self.state.topic_name, partition.number)
        for key, (_, effects) in touched.items():
            for record_key, value in partition.changelog(key, effects):
                changes.add_at(place, record_key, value)
        for first, last in (await self._app.publisher.publish(changes)).values():
            self.state.written(partition.number, first, last)
