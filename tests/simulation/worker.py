"""One worker: the real agents as coroutines that stop at every publication, and what Faust does around them."""

from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable
from enum import Enum
from typing import Any
from unittest import mock

from aiokafka import TopicPartition

from schemas import topics
from schemas.errors import UnavailableError
from streams.journeys.changelog_keys import Kind, is_claim
from streams.runtime import state as table
from streams.runtime.offset_tracker import Fetch, OffsetTracker
from streams.runtime.publisher import Outbox
from streams.runtime.standby import Standbys
from tests.simulation.kafka import Kafka
from tests.support.agents import AgentApp, FetchEvent, FetchStream, Place, Record, recover

BUFFERED = 4  #: fetches that wait for an agent, as stream_buffer_maxsize
FOLLOWED = 5  #: records of each changelog of another worker's that a standby reads at a time
CLOCK_SECONDS = 1_800_000_000.0
NOWHERE = -1, -1  #: the offsets of records that a control arm has not written


class Without(Enum):
    """A protection that is switched off, to show that the oracle would notice."""

    NOTHING = "nothing"
    COMMIT_RULE = "the offset tracker: a commit is how far was read, as Kafka's auto-commit has it"
    EFFECT_ORDER = "outputs first: the changelog goes before them"
    LATE_ACK = "acknowledging after the effects"
    FOREIGN_WRITES = "looking for changelog records of a former owner, before an announcement and after"
    WRITE_AHEAD = "writing ahead which signals are about to be raised"
    FENCE = "looking for another worker's claim before an announcement"


class AutoCommit(OffsetTracker[Place]):
    """Once something is done, everything that was read is."""

    def pop_committable(self, partition: Place) -> int | None:
        fetches = self._fetches.get(partition)
        done = [fetch for fetch in fetches or () if fetch.done]
        if not done or fetches is None:
            return None
        last = fetches[-1].last_offset + 1
        fetches.clear()
        return last


class Waiting:
    """What a coroutine stops at: the next event (None), or an outbox on its way."""

    def __init__(self, outbox: Outbox | None) -> None:
        self.outbox = outbox

    def __await__(self) -> Generator["Waiting", Any, Any]:
        return (yield self)


class Stream(FetchStream):
    """What an agent reads: at first by request, and while it is at work on a partition what else has come in there."""

    def __init__(self, worker: "Worker") -> None:
        self.queue: deque[Event] = deque()
        self._worker = worker
        self._partition = -1

    def __anext__(self) -> Awaitable[Any]:
        return self._next()

    async def _next(self) -> Any:
        event = await Waiting(None)
        self._partition = event.message.partition
        return event

    def take_waiting(self) -> Any | None:
        event = next((one for one in self.queue if one.message.partition == self._partition), None)
        if event is not None:
            self.queue.remove(event)
        return event

    def is_current(self, event: Any) -> bool:
        return bool(event.generation == self._worker.generation)


class Event(FetchEvent):
    """A fetch on its way through an agent; the tracker learns when it is done."""

    def __init__(self, records: list[Any], fetch: Fetch, generation: int) -> None:
        super().__init__(records, self._done)
        self.fetch = fetch
        self.generation = generation

    def _done(self) -> None:
        self.fetch.done = True


class Task:
    """One agent, one run of a timer, or work beside an agent."""

    def __init__(
        self, name: str, topic: str | None, coroutine: Any, queue: deque[Event] | None = None
    ) -> None:
        self.name = name
        self.topic = topic
        self.queue: deque[Event] = deque() if queue is None else queue
        self.ended = self.failed = False  #: a task that failed stops its worker
        self._coroutine = coroutine
        self.waiting = Waiting(None)
        self.resume(None)

    @property
    def ready(self) -> bool:
        """Whether it can go on."""
        return not self.ended and (self.waiting.outbox is not None or bool(self.queue))

    @property
    def busy(self) -> bool:
        """Whether it is in the middle of an event."""
        return not self.ended and self.waiting.outbox is not None

    def resume(self, value: Any) -> None:
        """Let it go on to its next stop."""
        try:
            stop = self._coroutine.send(value)
            while stop is None:  # it let other agents have a turn
                stop = self._coroutine.send(None)
            self.waiting = stop
        except StopIteration:
            self.ended = True
        except UnavailableError:
            self.failed = True

    def close(self) -> None:
        self._coroutine.close()


class App(AgentApp):
    """The agents' application: it stops them at every publication."""

    def __init__(self, kafka: Kafka, without: Without) -> None:
        super().__init__(kafka.partitions)
        self._kafka = kafka
        self.committed: dict[Place, int] = {}  #: as this worker knows
        self.beside: list[Task] = []  #: what goes on beside the agents
        self._held: Outbox | None = None
        self._without = without

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        if self._without is Without.FOREIGN_WRITES:
            return {}
        return {partition: self._kafka.log((topic, partition)).end for partition in partitions}

    async def read(self, topic: str, partition: int, start: int) -> list[Any]:
        return self._kafka.read((topic, partition), start, 1 << 30)

    def committed_offset(self, topic: str, partition: int) -> int:
        return self.committed.get((topic, partition), 0)

    async def wait_until(self, condition: Any, seconds: float) -> None:
        """Nothing comes in time here: what is decided later has to move, or the worker stops."""

    async def run_in_background(self, work: Any) -> None:
        self.beside = [*(task for task in self.beside if not task.ended), Task("beside", None, work)]

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        """Stop until the world lets the outbox out."""
        if all(is_claim(key) for records in outbox.records.values() for key, _, _ in records):
            return await _out(outbox)  # no effect: it comes before all of them
        if self._without is Without.WRITE_AHEAD:
            return dict.fromkeys(outbox.records, NOWHERE) | await _out(_without_write_ahead(outbox))
        if self._without is not Without.EFFECT_ORDER:
            return await _out(outbox)
        if self._held is None:
            # outputs: hold them back until the changelog is out, which the same agent hands over next
            self._held = outbox
            return dict.fromkeys(outbox.records, NOWHERE)
        outputs, self._held = self._held, None
        ends = await _out(outbox)
        await _out(outputs)
        return ends


def _without_write_ahead(outbox: Outbox) -> Outbox:
    left = Outbox(outbox.partitions)
    for place, records in outbox.records.items():
        for key, value, headers in records:
            if place[0] != topics.JOURNEYS_CHANGELOG.name or Kind.WRITE_AHEAD not in (key or b""):
                left.add_at(place, key, value, headers)
    return left


async def _out(outbox: Outbox) -> dict[Place, tuple[int, int]]:
    if not outbox.records:
        return {}
    ends: dict[Place, tuple[int, int]] = await Waiting(outbox)
    return ends


class Worker:
    """A process: its agents, its state, its tracker, its positions."""

    def __init__(self, name: str, kafka: Kafka, without: Without, clock: Callable[[], float]) -> None:
        self.name = name
        self.kafka = kafka
        self.generation = -1
        self.paused = False
        self.owned: set[int] = set()
        self.position: dict[Place, int] = {}
        self.tracker: OffsetTracker[Place] = (
            AutoCommit() if without is Without.COMMIT_RULE else OffsetTracker()
        )
        self._without = without
        self.app = App(kafka, without)
        self.journeys = self.app.start(clock)
        if without not in (Without.NOTHING, Without.COMMIT_RULE, Without.LATE_ACK):
            self.journeys.fence.may_announce = mock.AsyncMock(return_value=True)  # type: ignore[method-assign]
        self.tasks = []
        for task, topic, process in self.app.agents:
            stream = Stream(self)
            self.tasks.append(Task(task, topic, process(stream), stream.queue))
        self.timer: Task | None = None
        self.standbys = Standbys(self.app)  # type: ignore[arg-type]
        self.taken_over = 0  #: states that came from a standby copy
        for state in self.app.states:
            self.standbys.add(state)
            state.standby = self._take_over

    def _take_over(self, topic: str, partition: int) -> Any:
        copy = self.standbys.take(topic, partition)
        self.taken_over += copy is not None
        return copy

    def follow(self, most: int) -> None:
        """Read some more of the changelogs of other workers' partitions."""
        places = {
            TopicPartition(state.topic_name, partition)
            for state in self.app.states
            for partition in range(self.kafka.partitions)
        }
        owned = {tp for tp in places if tp.partition in self.owned}
        self.standbys.align(places - owned, owned)
        for tp, copy in self.standbys.copies().items():
            self.standbys.apply(tp, self.kafka.read((tp.topic, tp.partition), copy.offset + 1, most))
            copy.state.caught_up()

    def all_tasks(self) -> list[Task]:
        timer = [] if self.timer is None else [self.timer]
        return [*self.tasks, *(task for task in (*timer, *self.app.beside) if not task.ended)]

    def ready(self) -> list[Task]:
        """The tasks that can go on. While deadlines are under way the journeys agent takes no new event."""
        timed = self.timer is not None and self.timer.busy
        return [
            task
            for task in self.all_tasks()
            if task.ready and (task.busy or not (timed and task.name == "journeys"))
        ]

    def can_fetch(self) -> list[tuple[Task, Place]]:
        """Where there is something to read, and room for it."""
        return [
            (task, (task.topic, partition))
            for task in self.tasks
            if task.topic is not None and len(task.queue) < BUFFERED
            for partition in sorted(self.owned)
            if self.position.get((task.topic, partition), 0) < self.kafka.log((task.topic, partition)).end
        ]

    def fetch(self, task: Task, place: Place, count: int) -> int:
        """Read some records into an agent's queue; returns how many."""
        records = self.kafka.read(place, self.position.get(place, 0), count)
        if not records:
            self.position[place] = self.kafka.log(place).end
            return 0
        self.position[place] = records[-1].offset + 1
        fetch = self.tracker.track(place, records[-1].offset)
        fetch.done = self._without is Without.LATE_ACK
        task.queue.append(Event(list(records), fetch, self.generation))
        return len(records)

    def start_timer(self) -> bool:
        """Let the deadlines run, unless they do or the journeys agent is at work (they exclude each other)."""
        agent = next(task for task in self.tasks if task.name == "journeys")
        if agent.busy or (self.timer is not None and not self.timer.ended):
            return False
        for timer in self.app.timers:
            self.timer = Task("timer", None, timer())
            if self.timer.busy:
                return True
        return False

    def commit(self, generation: int) -> dict[Place, int]:
        """Commit what is done; the group refuses those of an earlier generation. Returns what was committed."""
        places = [(topic, partition) for _, topic, _ in self.app.agents for partition in self.owned]
        ends = {place: end for place in places if (end := self.tracker.pop_committable(place)) is not None}
        if generation != self.generation:
            return {}
        self.follow(FOLLOWED)
        self.kafka.committed.update(ends)
        self.app.committed.update(ends)
        return ends

    def rebalance(self, generation: int, owned: set[int]) -> None:
        """Take part in a rebalance: what was read and not begun is dropped and read again, state is recovered."""
        self.generation, self.owned = generation, owned
        self.tracker.forget()
        self.app.committed = dict(self.kafka.committed)
        self.position = {
            (topic, partition): self.kafka.committed.get((topic, partition), 0)
            for _, topic, _ in self.app.agents
            for partition in owned
        }
        for task in self.tasks:
            task.queue.clear()
        # collecting the garbage of a whole interpreter takes longer than everything else here
        with mock.patch.object(table, "freeze_live_objects"):
            for state in self.app.states:
                recover(state, self.owned, self._read, self.generation)
        self.follow(FOLLOWED)

    def _read(self, place: Place, start: int) -> list[list[Record]]:
        records = self.kafka.read(place, start, 1 << 30)
        return [records] if records else []

    def crash(self) -> None:
        """Forget everything."""
        for task in self.all_tasks():
            task.close()
