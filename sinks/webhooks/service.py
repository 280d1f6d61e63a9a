"""One instance of the webhooks service: a member of its consumer group, with the outboxes of its partitions.

What is read goes into the outbox, the outbox into Kafka, and only then the offset is committed. So a crash anywhere
repeats a step whose effects are known by their ids.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import WEBHOOK_REQUEST
from schemas.errors import ContractError, UnavailableError
from schemas.kafka_client import client_options, stop_client
from schemas.records import WebhookDelivery
from schemas.settings import Settings
from schemas.version_bounds import AheadError
from sinks.subscribers.table.ends import Ends
from sinks.webhooks import metrics
from sinks.webhooks.changelog import Changelog, Partition, RevokedError
from sinks.webhooks.courier import Courier, wall_ms
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.outbox import Outbox
from sinks.webhooks.reading import take_signal, take_state

#: Heartbeats go on while records wait for an outbox that cannot be written: during an outage nobody else could.
MAX_POLL_MS: Final = 24 * 60 * 60 * 1000
_IDLE_MS: Final = 200
_RECORDS_AT_ONCE: Final = 1000
_FORGET_SECONDS: Final = 3600.0
_SHOW_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 5.0  #: for what is being read when the service stops: without Kafka it would not end

log: Final = logging.getLogger("touchline.webhooks")


class Service(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """`run` returns after `stop` was called."""

    def __init__(
        self,
        settings: Settings,
        endpoints: Mapping[str, Endpoint],
        partitions: dict[int, Partition],
        couriers: Iterable[Courier],
        *,
        ready: Callable[[int], None],
        from_start: bool = False,
    ) -> None:
        """`partitions` is shared with the couriers. `ready` gets their number each time they are restored.

        `from_start`: a new group reads what Kafka still has of signals."""
        self._settings = settings
        self._endpoints = endpoints
        self._partitions = partitions
        self._couriers = list(couriers)
        self._ready = ready
        self._from_start = from_start
        read = (topics.JOURNEY_SIGNALS, topics.WEBHOOK_REQUESTS)
        self._topics = {settings.topic(topic.name): topic for topic in read}
        if any(endpoint.changes for endpoint in endpoints.values()):
            self._topics[settings.topic(topics.JOURNEY_STATES.name)] = topics.JOURNEY_STATES
        self._changelog = Changelog(settings)
        self._unread: set[int] = set()  #: partitions of this instance whose outbox is not restored yet
        self._generation = 0  #: of the group's assignments, as this instance has seen them
        self._committed: dict[TopicPartition, int] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Make `run` end its attempts, leave the group and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve. Raises UnavailableError if Kafka or a topic is away when it starts."""
        consumer = self._consumer = self._new_consumer()
        try:
            await self._changelog.start()
            await consumer.start()
            self._ends = await Ends.of(
                consumer, self._settings, (topics.JOURNEY_SIGNALS, topics.WEBHOOKS_CHANGELOG)
            )
            consumer.subscribe(list(self._topics), listener=self)
            await self._until_stopped()
        except (KafkaError, TimeoutError) as error:
            raise UnavailableError(
                f"Kafka at {self._settings.brokers} does not answer: start it, or set TOUCHLINE_KAFKA_BROKERS"
            ) from error
        finally:
            await self._leave(list(self._partitions))
            await stop_client(consumer)
            await self._changelog.stop()

    async def _until_stopped(self) -> None:
        """Read until `stop`, also while Kafka is away and a write is tried again and again."""
        reading = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading,), timeout=_STOP_SECONDS)
        finally:
            for task in (reading, stopping):
                task.cancel()
            await asyncio.wait((reading, stopping))
        if not reading.cancelled():
            reading.result()
        elif not self._stopping.is_set():
            raise UnavailableError(f"Kafka at {self._settings.brokers} does not answer any more")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let go: attempts under way may end, then the next owner knows what they did."""
        await self._leave({one.partition for one in revoked})

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Note what is to be restored; nothing is read or told before that."""
        given = list(assigned)
        self._generation += 1
        # the outbox goes with the signals. Of states others may come: instances may ask for them or not (`changes`)
        mine = {one.partition for one in given if self._topics[one.topic] is topics.JOURNEY_SIGNALS}
        self._unread = mine - self._partitions.keys()
        # a fetch that is under way would get records for which there is no outbox
        self._consumer.pause(*(one for one in given if one.partition not in self._partitions))

    def _new_consumer(self) -> AIOKafkaConsumer:
        session_ms = int(self._settings.session_timeout * 1000)
        return AIOKafkaConsumer(
            **client_options(self._settings),
            group_id=self._settings.topic(topics.WEBHOOKS_GROUP),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # one instance gets a partition of every topic: what concerns a person meets there
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 3,
            max_poll_interval_ms=MAX_POLL_MS,
            rebalance_timeout_ms=session_ms * 2,
            fetch_max_wait_ms=_IDLE_MS,
        )

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        forget_at, show_at = clock() + _FORGET_SECONDS, clock()
        while not self._stopping.is_set():
            if self._unread:
                while self._unread:
                    await self._restore(min(self._unread))
                self._ready(len(self._partitions))
            for partition in self._partitions.values():
                if partition.failure is not None:
                    raise partition.failure
            fetched = await self._consumer.getmany(timeout_ms=_IDLE_MS, max_records=_RECORDS_AT_ONCE)
            if fetched:
                await self._take(fetched)
            if clock() >= show_at:
                show_at = clock() + _SHOW_SECONDS
                self._show()
            if clock() >= forget_at:
                forget_at = clock() + _FORGET_SECONDS
                for partition in list(self._partitions.values()):
                    partition.outbox.forget(wall_ms())
                    with suppress(RevokedError):
                        await partition.flush()

    async def _restore(self, number: int) -> None:
        """Read the outbox of a partition, and where its topics are to be read from."""
        outbox, generation = Outbox(self._endpoints), self._generation
        records = await self._changelog.read(number)
        outbox.restore(records)
        places = [one for one in self._consumer.assignment() if one.partition == number]
        if not places or number not in self._unread or generation != self._generation:
            return  # a rebalance has taken it meanwhile, and may have given it back after another one wrote to it
        await self._find_start(places)
        self._unread.discard(number)
        self._consumer.resume(*places)
        self._partitions[number] = Partition(number, outbox, self._changelog, _count, self._wake)
        unknown = {record["endpoint"] for record in records} - self._endpoints.keys()
        if unknown:
            log.warning(
                "messages wait for endpoints that webhooks.toml does not name: %s", ", ".join(sorted(unknown))
            )
        log.info("partition %d: %d messages known", number, len(outbox))
        self._wake()

    async def _find_start(self, places: Iterable[TopicPartition]) -> None:
        """A new group begins with signals of now, or with the oldest. It says so in Kafka before it reads any."""
        starts: dict[TopicPartition, int] = {}
        for place in places:
            if await self._consumer.committed(place) is None:
                # the present states are what later ones differ from
                oldest = self._from_start or self._topics[place.topic] is not topics.JOURNEY_SIGNALS
                found = self._consumer.beginning_offsets if oldest else self._consumer.end_offsets
                starts[place] = (await found([place]))[place]
        if starts:
            await self._consumer.commit(starts)
            for place, offset in starts.items():
                self._consumer.seek(place, offset)

    async def _take(self, fetched: Mapping[TopicPartition, list[KafkaRecord]]) -> None:
        """Put records into outboxes, these into Kafka, and commit."""
        taken: dict[TopicPartition, int] = {}
        touched: dict[int, Partition] = {}
        for place, records in fetched.items():
            partition = self._partitions.get(place.partition)
            if partition is None:
                if place in self._consumer.assignment():
                    self._consumer.seek(place, records[0].offset)  # read again once there is an outbox
                continue
            touched[place.partition] = partition
            for record in records:
                await self._take_one(partition.outbox, self._topics[place.topic].name, record)
            taken[place] = records[-1].offset + 1
        try:
            await asyncio.gather(*(partition.flush() for partition in touched.values()))
            mine = self._consumer.assignment()
            ends = {place: end for place, end in taken.items() if place in mine}
            if ends:
                await self._consumer.commit(ends)
                self._committed.update(ends)
        except (RevokedError, CommitFailedError, IllegalStateError) as error:
            # the partition's new owner reads the same records again, which changes nothing that this one has written
            log.info("the group has rebalanced before a commit: %s", error)

    async def _take_one(self, outbox: Outbox, topic: str, record: KafkaRecord) -> None:
        try:
            self._put(outbox, topic, record)
        except AheadError:
            await self._ends.look()
            try:
                self._put(outbox, topic, record)
            except ContractError as error:
                _leave_out(record, error)
        except ContractError as error:
            _leave_out(record, error)

    def _put(self, outbox: Outbox, topic: str, record: KafkaRecord) -> None:
        now = wall_ms()
        if topic == topics.JOURNEY_SIGNALS.name:
            take_signal(outbox, self._endpoints.values(), record, self._ends.bounds, now)
        elif topic == topics.JOURNEY_STATES.name:
            take_state(outbox, self._endpoints.values(), record, self._ends.bounds, now)
        else:
            request = WEBHOOK_REQUEST.decode(record.value)
            revived = outbox.revive(request, now)
            if revived:
                for courier in self._couriers:
                    if courier.endpoint.name == request["endpoint"]:
                        courier.restart()

    async def _leave(self, numbers: Iterable[int]) -> None:
        """Give partitions up: nothing new is tried, and what is under way gets half a session to end."""
        left = [self._partitions.pop(number) for number in numbers if number in self._partitions]
        self._unread -= set(numbers)
        for partition in left:
            partition.revoked = True
        attempts = {attempt for partition in left for attempt in partition.attempts}
        if attempts:
            _, late = await asyncio.wait(attempts, timeout=self._settings.session_timeout / 2)
            for attempt in late:
                attempt.cancel()
            if late:
                await asyncio.wait(late)
        await asyncio.gather(*(partition.close(self._settings.session_timeout / 4) for partition in left))

    def _wake(self) -> None:
        for courier in self._couriers:
            courier.wake()

    def _show(self) -> None:
        now = wall_ms()
        totals: dict[str, tuple[int, int]] = dict.fromkeys(self._endpoints, (0, now))
        for partition in self._partitions.values():
            for name, (number, oldest) in partition.outbox.pending().items():
                before, since = totals.get(name, (0, now))
                totals[name] = before + number, min(since, oldest)
        for name, (number, since) in totals.items():
            metrics.PENDING.labels(name).set(number)
            metrics.OLDEST_SECONDS.labels(name).set(max(now - since, 0) / 1000)
        mine = self._consumer.assignment()
        metrics.LAG.set(sum(self._behind(place) for place in mine))

    def _behind(self, place: TopicPartition) -> int:
        end, at = self._consumer.highwater(place), self._committed.get(place)
        return max(end - at, 0) if end is not None and at is not None else 0


def _count(delivery: WebhookDelivery) -> None:
    metrics.OUTCOMES.labels(delivery["endpoint"], delivery["outcome"]).inc()


def _leave_out(record: KafkaRecord, error: ContractError) -> None:
    log.warning(
        "left out: %s/%d/%d cannot be Touchline's: %s", record.topic, record.partition, record.offset, error
    )
