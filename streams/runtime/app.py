"""The Faust application: one consumer group, one publisher, settings that the guarantees rest on."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cached_property, wraps
from typing import Any, Final

import faust
import faust.streams
from aiokafka.errors import KafkaError
from faust.agents import AgentFun
from mode import CrashingSupervisor

from schemas import topics
from schemas.errors import SettingsError, UnavailableError
from schemas.settings import Settings
from streams.runtime.fetches import FetchSchema, FetchTransport
from streams.runtime.flow import SteadyFlow
from streams.runtime.garbage import calm_down
from streams.runtime.in_hand import InHand
from streams.runtime.lanes import Lanes
from streams.runtime.publisher import Outbox, Publisher

#: How long a stop waits for the fetches that agents have in hand; the rest of the ten seconds is for the commit.
DRAIN_SECONDS: Final = 5.0
#: Pieces of work that may be under way beside their agents.
WORK_BESIDE: Final = 16
#: Fetches between the consumer and the lanes, which take them at once: never so many that Faust would stop reading.
STREAM_BUFFER: Final = 256
#: How often `until` looks whether what it waits for has come.
LOOK_SECONDS: Final = 0.005


class WorkerApp(faust.App):  # type: ignore[misc]  # faust has no types for it
    """Faust at fetch granularity: agents get lists of records and acknowledge them after their effects."""

    def __init__(self, settings: Settings) -> None:
        if faust.streams._CStreamIterator is None:
            # the pure-Python stream acknowledges messages of an earlier generation that it never delivered
            raise UnavailableError(
                "faust-streaming's compiled extension is missing: reinstall it from a binary wheel, "
                "`pip install --force-reinstall faust-streaming`"
            )
        self.settings = settings
        self.publisher = Publisher(
            settings.brokers, client_id="touchline-worker", idempotent=bool(settings.idempotent_producer)
        )
        self.topic_partitions: dict[str, int] = {}
        self.first_reason: BaseException | None = None  #: why the worker crashed
        self.lanes = Lanes(self._is_current)
        self._in_hand = InHand()
        self._beside = asyncio.Semaphore(WORK_BESIDE)
        self._working: set[asyncio.Task[None]] = set()
        self._crashing: asyncio.Future[None] | None = None
        super().__init__(
            settings.topic(topics.WORKER_GROUP),
            broker=[f"kafka://{server.strip()}" for server in settings.brokers.split(",")],
            store="memory://",
            web_enabled=False,  # it would listen on every interface and serve table data
            topic_disable_leader=True,
            topic_allow_declare=False,
            producer_acks=-1,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=settings.session_timeout,
            broker_heartbeat_interval=settings.session_timeout / 4,
            broker_request_timeout=max(60.0, settings.session_timeout * 2),
            broker_commit_interval=0.5,
            broker_max_poll_records=2000,
            consumer_max_fetch_size=1024 * 1024,
            stream_buffer_maxsize=STREAM_BUFFER,
            stream_wait_empty=False,
            stream_publish_on_commit=False,
            stream_recovery_delay=0.0,
            worker_redirect_stdouts=False,
        )

    def _create_directories(self) -> None:
        """State lives in changelogs and in memory: nothing is kept on this machine's disk."""

    @cached_property
    def flow_control(self) -> SteadyFlow:
        """What lets fetches through to the agents."""
        return SteadyFlow(loop=self.loop)

    def _new_transport(self) -> Any:
        return FetchTransport(self.conf.broker_consumer, self)

    def hot_topic(self, topic: topics.Topic) -> Any:
        """A topic read as fetches."""
        return self.topic(
            self.settings.topic(topic.name), schema=FetchSchema(), value_serializer="raw", allow_empty=True
        )

    def fetch_agent(self, topic: topics.Topic, name: str, process: AgentFun) -> None:
        """Run `process` over a topic's fetches, in a lane for each partition; whatever it raises stops the worker."""

        @wraps(process)
        async def agent(stream: Any) -> None:
            await self.lanes.run(stream, lambda lane: process(self._in_hand.watch(lane)))

        self.agent(
            self.hot_topic(topic),
            name=f"{self.conf.id}.{name}",
            concurrency=1,
            supervisor_strategy=CrashingSupervisor,
        )(agent)

    def _is_current(self, event: Any) -> bool:
        return bool(event.message.generation_id == self.consumer_generation_id)

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Let other agents work until something holds that they bring about, but no longer than so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 (what it looks at is no event)
            await asyncio.sleep(LOOK_SECONDS)

    async def meanwhile(self, work: Coroutine[Any, Any, None]) -> None:
        """Let work go on beside its agent, which takes its next fetch. Whatever it raises stops the worker.

        Only so much may be under way: beyond that the agent waits for its turn.
        """
        await self._beside.acquire()
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._beside.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashing = asyncio.ensure_future(self.crash(error))

    def outbox(self) -> Outbox:
        """A new, empty outbox."""
        return Outbox(self.topic_partitions)

    async def crash(self, reason: BaseException) -> None:
        """Stop because of `reason`; what it makes others stop for comes later and says less."""
        self.first_reason = self.first_reason or reason
        await super().crash(reason)

    async def on_start(self) -> None:
        """Connect the publisher and check the topics before anything is read."""
        calm_down()
        try:
            await self.publisher.start()
        except (KafkaError, OSError) as error:
            raise UnavailableError(
                f"Kafka at {self.settings.brokers} does not answer: start it, or set TOUCHLINE_KAFKA_BROKERS"
            ) from error
        await self._check_topics()
        await super().on_start()

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:  # noqa: ARG002 (Faust's signature)
        """Once reading has stopped: let agents finish what they have in hand, to be committed before we go."""
        if self.should_stop and not self.crash_reason:
            await self._in_hand.finished(DRAIN_SECONDS)
            if self._working:
                await asyncio.wait(self._working, timeout=DRAIN_SECONDS / 5)

    async def on_shutdown(self) -> None:
        """Last of all, after the agents: close the publisher."""
        await self.publisher.stop()

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
