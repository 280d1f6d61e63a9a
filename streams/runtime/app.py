"""The Faust application: one consumer group, one publisher, and the settings that the delivery guarantees depend on."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cached_property, wraps
from typing import Any, Final

import faust
import faust.streams
from aiokafka.errors import KafkaError
from faust.agents import AgentFun
from faust.types import TP
from mode import CrashingSupervisor

from schemas import topics
from schemas.errors import SettingsError, UnavailableError
from schemas.kafka_probe import why_unreachable
from schemas.settings import Settings
from schemas.tracing.tracer import Tracer, tracer_of
from streams.runtime import metrics
from streams.runtime.assignor import StableAssignor
from streams.runtime.faust_broker import broker_options
from streams.runtime.fetches import FetchSchema, FetchTransport
from streams.runtime.flow import IdempotentFlow
from streams.runtime.foreign_writes import LogReader
from streams.runtime.garbage import raise_gc_thresholds
from streams.runtime.inflight import InFlightFetches
from streams.runtime.internal_records import InternalRecords
from streams.runtime.partition_queues import PartitionQueues
from streams.runtime.publisher import Outbox, Publisher

#: Seconds that a stop waits for the fetches in flight. The rest of its ten seconds is for the commit.
DRAIN_SECONDS: Final = 5.0
#: Background tasks that may run at once.
MAX_BACKGROUND_TASKS: Final = 16
#: Fetches that Faust may hold between the consumer and the partition queues. The queues take fetches at once, so this
#: is never reached; a small buffer would make Faust pause the consumer.
STREAM_BUFFER: Final = 256
#: Seconds between two heartbeats; a quarter of a session that is short.
HEARTBEAT_SECONDS: Final = 1.0
#: Seconds between two checks of the condition in `wait_until`.
POLL_SECONDS: Final = 0.005


class WorkerApp(faust.App):  # type: ignore[misc]  # faust has no types for it
    """Faust at fetch granularity: an agent receives a list of records and acknowledges it after its effects."""

    def __init__(self, settings: Settings) -> None:
        if faust.streams._CStreamIterator is None:
            # Faust's pure-Python stream acknowledges messages of an earlier generation without delivering them
            raise UnavailableError(
                "faust-streaming's compiled extension is missing: reinstall it from a binary wheel, "
                "`pip install --force-reinstall faust-streaming`"
            )
        self.settings = settings
        #: not `tracer`: Faust has that name for tracing of its own, and would use it
        self.touchpoint_tracer: Tracer | None = tracer_of(settings, "worker")
        self.publisher = Publisher(
            settings, client_id="touchline-worker", took=metrics.PUBLISH_SECONDS.observe
        )
        self.log_reader = LogReader(settings)
        self.internal = InternalRecords(self)
        self.topic_partitions: dict[str, int] = {}
        self.first_crash_reason: BaseException | None = None  #: later ones are its consequences
        self.partition_queues = PartitionQueues(self._is_current)
        self._in_flight = InFlightFetches()
        self._background_slots = asyncio.Semaphore(MAX_BACKGROUND_TASKS)
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._crashing: asyncio.Future[None] | None = None
        super().__init__(
            settings.topic(topics.WORKER_GROUP),
            **broker_options(settings),
            store="memory://",
            web_enabled=False,  # it would listen on every interface and serve table data
            topic_disable_leader=True,
            topic_allow_declare=False,
            producer_acks=-1,
            consumer_auto_offset_reset="earliest",
            PartitionAssignor=StableAssignor,
            broker_session_timeout=settings.session_timeout,
            # with a heartbeat the others learn that a worker is lost
            broker_heartbeat_interval=min(settings.session_timeout / 4, HEARTBEAT_SECONDS),
            broker_request_timeout=max(60.0, settings.session_timeout * 2),
            broker_commit_interval=0.5,
            broker_max_poll_records=2000,
            consumer_max_fetch_size=1024 * 1024,
            stream_buffer_maxsize=STREAM_BUFFER,
            stream_wait_empty=False,
            stream_publish_on_commit=False,
            stream_recovery_delay=0.0,
            # Faust's standbys would keep the state of another worker's partition where timers act on it: see standby.py
            table_standby_replicas=0,
            worker_redirect_stdouts=False,
        )

    def _create_directories(self) -> None:
        """Create nothing: state is kept in changelogs and in memory, not on disk."""

    @cached_property
    def flow_control(self) -> IdempotentFlow:
        """The flow control that admits fetches to the agents' queues."""
        return IdempotentFlow(loop=self.loop)

    def _new_transport(self) -> Any:
        return FetchTransport(self.conf.broker_consumer, self)

    def fetch_topic(self, topic: topics.Topic) -> Any:
        """A topic that is read as fetches."""
        return self.topic(
            self.settings.topic(topic.name), schema=FetchSchema(), value_serializer="raw", allow_empty=True
        )

    def fetch_agent(self, topic: topics.Topic, name: str, process: AgentFun) -> None:
        """Run `process` over a topic's fetches, on one queue per partition. Its exceptions stop the worker."""

        @wraps(process)
        async def agent(stream: Any) -> None:
            await self.partition_queues.run(stream, lambda queue: process(self._in_flight.track(queue)))

        self.agent(
            self.fetch_topic(topic),
            name=f"{self.conf.id}.{name}",
            concurrency=1,
            supervisor_strategy=CrashingSupervisor,
        )(agent)

    def _is_current(self, event: Any) -> bool:
        return bool(event.message.generation_id == self.consumer_generation_id)

    def recover_from_beginning(self, tp: TP) -> None:
        """Let recovery read a changelog from its beginning: Faust remembers how far it had read an assigned one."""
        self.tables.recovery.active_offsets.pop(tp, None)

    def last_changelog_offset(self, tp: TP) -> int:
        """The last offset of a changelog when its recovery began, -1 if it was empty."""
        return int(self.tables.recovery.active_highwaters.get(tp, -1))

    def committed_offset(self, topic: str, partition: int) -> int:
        """The offset up to which the group has committed an input, as far as this worker knows; 0 for none."""
        return int(self.consumer.committed_offset(TP(topic, partition)))

    async def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until the condition holds, at most this many seconds. The other agents, which bring it about, go on."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 (the condition has no event)
            await asyncio.sleep(POLL_SECONDS)

    async def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a background task, so that its agent takes the next fetch. Its exceptions stop the worker.

        Waits for a free slot while MAX_BACKGROUND_TASKS run already.
        """
        await self._background_slots.acquire()
        task = asyncio.create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_task_ended)

    @property
    def background_tasks(self) -> int:
        """How many background tasks run."""
        return len(self._background_tasks)

    def _background_task_ended(self, task: asyncio.Task[None]) -> None:
        self._background_tasks.discard(task)
        self._background_slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashing = asyncio.ensure_future(self.crash(error))

    def outbox(self) -> Outbox:
        """A new, empty outbox."""
        return Outbox(self.topic_partitions)

    async def crash(self, reason: BaseException) -> None:
        """Stop the worker because of `reason`. The first reason is kept: later ones are its consequences."""
        self.first_crash_reason = self.first_crash_reason or reason
        await super().crash(reason)

    async def on_start(self) -> None:
        """Connect the publisher and check the topics, before the consumer reads.

        Raises UnavailableError if the broker or a topic is missing, SettingsError if partition counts differ.
        """
        raise_gc_thresholds()
        try:
            await self.publisher.start()
        except (KafkaError, OSError) as error:
            why = await asyncio.to_thread(why_unreachable, self.settings)
            raise UnavailableError(
                f"Kafka at {self.settings.brokers} cannot be used: {why or error}"
            ) from error
        await self._check_topics()
        await super().on_start()

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:  # noqa: ARG002 (Faust's signature)
        """Faust's hook after the consumer stopped reading: wait for the fetches in flight, to commit them."""
        if self.should_stop and not self.crash_reason:
            await self._in_flight.wait_until_none(DRAIN_SECONDS)
            if self._background_tasks:
                await asyncio.wait(self._background_tasks, timeout=DRAIN_SECONDS / 5)

    async def on_shutdown(self) -> None:
        """Faust's last hook, after the agents stopped: close the connections."""
        await self.publisher.stop()
        await self.log_reader.close()
        if self.touchpoint_tracer is not None:
            await asyncio.to_thread(self.touchpoint_tracer.close)

    async def _check_topics(self) -> None:
        names = tuple(self.settings.topic(topic.name) for topic in topics.ALL)
        try:
            async with asyncio.timeout(30):
                self.topic_partitions = await self.publisher.partitions(names)
        except (KafkaError, TimeoutError) as error:
            raise UnavailableError(
                f"Kafka at {self.settings.brokers} does not tell its topics: {type(error).__name__} {error}"
            ) from error
        missing = sorted(name for name, count in self.topic_partitions.items() if not count)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnavailableError(f"Kafka has no topic {missing[0]}{more}: run `touchline topics`")
        if len(set(self.topic_partitions.values())) != 1:
            counts = ", ".join(f"{name} {count}" for name, count in sorted(self.topic_partitions.items()))
            raise SettingsError(
                f"all Touchline topics must have the same number of partitions, but: {counts}"
            )
