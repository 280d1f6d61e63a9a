"""The world: sources, a consumer group, workers that come, crash, sleep and wake; every choice is a number's."""

from collections.abc import Callable
from unittest import mock

from schemas import topics
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key, partition_of
from schemas.records import Touchpoint
from streams.identity.policy.prepare import prepare
from streams.journeys.agent import IDLE_SECONDS
from streams.runtime import cooperative
from streams.runtime.foreign_writes import LOOKS
from tests.simulation.kafka import Kafka, described
from tests.simulation.plan import Plan
from tests.simulation.worker import CLOCK_SECONDS, Task, Without, Worker
from tests.support.agents import Place
from tests.support.built_in import CATALOGUE, POLICY

PARTITIONS = 2
MOST_WORKERS = 3
ROUNDS = 2_000  #: of the calm end; what is not done by then goes round in circles
POISON = b"\xc3\x01 not a touchpoint"


class SpentError(Exception):
    """There are no numbers left: from here on nothing goes wrong any more."""


class World:
    """One run. `trace` says what happened, one line a step."""

    def __init__(self, plan: Plan, without: Without = Without.NOTHING) -> None:
        self._choices = iter(plan.choices)
        self._without = without
        self._ticking = plan.ticking
        self.idle_seconds = 0.0
        self.stood_down = 0  #: workers that stopped because another one had claimed their partition
        self._waiting = list(plan.events)
        self._sent: list[tuple[Place, bytes, bytes]] = []
        self.kafka = Kafka(PARTITIONS)
        self.generation = 0
        self.started = 0
        self.workers: list[Worker] = []
        self.trace: list[str] = []

    def run(self) -> "World":
        """The troubled part, as long as there are choices, then a calm one until everything is done."""
        # what takes long lets others have their turn by a clock: here the choices alone decide
        with mock.patch.object(cooperative, "perf_counter", return_value=0.0):
            self.join()
            try:
                while True:
                    self._act()
            except SpentError:
                self.end_calmly()
        return self

    def choose(self, count: int) -> int:
        """A number below `count`."""
        try:
            return next(self._choices) % count
        except StopIteration:
            raise SpentError from None

    def _act(self) -> None:
        number = self.choose(100)
        for limit, act in self._ACTS:
            if number < limit:
                act(self)
                return

    # what happens without anybody's fault

    def _source(self) -> None:
        """A touchpoint is published: the next one or, now and then, one that was published before."""
        number = self.choose(8)
        if self._sent and (number == 7 or not self._waiting):
            place, key, value = self._sent[self.choose(len(self._sent))]
            self._say(f"the source repeats a record on {place[0]}/{place[1]}")
        elif self._waiting:
            place, key, value = self._keyed(self._waiting.pop(0), elsewhere=number == 6)
            self._sent.append((place, key, value))
            self._say(f"the source publishes on {place[0]}/{place[1]}")
        else:
            return
        self.kafka.append(place, key, value)

    def publish(self, event: Touchpoint | None) -> None:
        """A source publishes where it belongs."""
        place, key, value = self._keyed(event, elsewhere=False)
        self.kafka.append(place, key, value)

    def _keyed(self, event: Touchpoint | None, *, elsewhere: bool) -> tuple[Place, bytes, bytes]:
        if event is None:
            return (topics.TOUCHPOINTS.name, 0), b"poison", POISON
        identifier, prepared = prepare(event, POLICY, CATALOGUE)
        key = identifier_key(prepared["tenant"], identifier)
        home = partition_of(key, PARTITIONS)
        place = topics.TOUCHPOINTS.name, (home + elsewhere) % PARTITIONS
        return place, key, TOUCHPOINT.encode(prepared)

    def _fetch(self) -> None:
        found = [
            (worker, task, place)
            for worker in self._awake()
            if worker.generation == self.generation
            for task, place in worker.can_fetch()
        ]
        if found:
            worker, task, place = found[self.choose(len(found))]
            count = worker.fetch(task, place, 1 + self.choose(4))
            self._say(f"{worker.name} reads {count} of {place[0]}/{place[1]}")

    def _step(self) -> None:
        found = [(worker, task) for worker in self._awake() for task in worker.ready()]
        if found:
            self.go_on(*found[self.choose(len(found))])

    def go_on(self, worker: Worker, task: Task) -> None:
        if task.waiting.outbox is None:
            event = task.queue.popleft()
            task.resume(event)
            self._say(
                f"{worker.name} {task.name} takes {len(event.value)} up to offset {event.message.offset}"
            )
        else:
            outbox = task.waiting.outbox
            ends: dict[Place, tuple[int, int]] = {}
            for place, records in outbox.records.items():
                offsets = [self.kafka.append(place, *record) for record in records]
                ends[place] = offsets[0], offsets[-1]
            self._say(f"{worker.name} {task.name} publishes {described(ends)}")
            task.resume(ends)
        if task.failed:
            self._stand_down(worker)

    def _stand_down(self, worker: Worker) -> None:
        """Another worker has claimed its partition: it stops, and its supervisor starts it anew."""
        self.stood_down += 1
        self._say(f"{worker.name} stops: another worker has claimed its partition")
        self.kill(worker)
        self._start_worker()
        self._rebalance(0)

    def _commit(self) -> None:
        awake = self._awake()
        if awake:
            worker = awake[self.choose(len(awake))]
            ends = worker.commit(self.generation)
            if ends:
                self._say(
                    f"{worker.name} commits {', '.join(f'{t}/{p} to {end}' for (t, p), end in ends.items())}"
                )

    def _timer(self) -> None:
        awake = self._awake()
        if awake:
            worker = awake[self.choose(len(awake))]
            if worker.start_timer():
                self._say(f"{worker.name} fires deadlines")

    # faults

    def _crash(self) -> None:
        """kill -9: of what was on its way some got out."""
        worker = self.workers[self.choose(len(self.workers))]
        for task in worker.all_tasks():
            if task.waiting.outbox is None or worker.paused:
                continue
            got_out: dict[Place, tuple[int, int]] = {}
            for place, records in task.waiting.outbox.records.items():
                offsets = [
                    self.kafka.append(place, *record) for record in records[: self.choose(len(records) + 1)]
                ]
                if offsets:
                    got_out[place] = offsets[0], offsets[-1]
            if got_out:
                self._say(f"{worker.name} {task.name} got out {described(got_out)}")
        self._say(f"{worker.name} is killed")
        self.kill(worker)
        if not self._awake():
            self._start_worker()
        self._rebalance(self.choose(PARTITIONS))

    def kill(self, worker: Worker) -> None:
        """Nothing more of it gets out. The group does not know yet."""
        worker.crash()
        self.workers.remove(worker)

    def _pause(self) -> None:
        """SIGSTOP past the session timeout: the group goes on without it."""
        awake = self._awake()
        if not awake:
            return
        worker = awake[self.choose(len(awake))]
        worker.paused = True
        self._say(f"{worker.name} is stopped")
        if not self._awake() and len(self.workers) < MOST_WORKERS:
            self._start_worker()
        self._rebalance(self.choose(PARTITIONS))

    def _wake(self) -> None:
        """SIGCONT: a zombie goes on where it was, until the next rebalance."""
        paused = [worker for worker in self.workers if worker.paused]
        if paused:
            worker = paused[self.choose(len(paused))]
            worker.paused = False
            self._say(f"{worker.name} goes on as a zombie")

    def _regroup(self) -> None:
        """A worker joins, or the partitions are dealt anew."""
        if len(self.workers) < MOST_WORKERS and self.choose(2):
            self._start_worker()
        self._rebalance(self.choose(PARTITIONS))

    def _compact(self) -> None:
        topic = topics.CHANGELOGS[self.choose(len(topics.CHANGELOGS))].name
        self.kafka.compact(topic)
        self._say(f"{topic} is compacted")

    _ACTS: tuple[tuple[int, Callable[["World"], None]], ...] = (
        (22, _source), (48, _fetch), (86, _step), (90, _commit), (92, _timer),
        (94, _regroup), (96, _crash), (97, _pause), (99, _wake), (100, _compact),
    )  # fmt: skip

    # the group

    def _awake(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.paused]

    def join(self) -> Worker:
        """A worker starts and takes part in a rebalance."""
        self._start_worker()
        self._rebalance(0)
        return self.workers[-1]

    def _start_worker(self) -> None:
        self.started += 1
        self.workers.append(Worker(f"w{self.started}", self.kafka, self._without, self._clock))
        self._say(f"w{self.started} starts")

    def _rebalance(self, shift: int) -> None:
        members = self._awake()
        if not members:
            return
        for member in members:
            member.commit(self.generation)
        self.generation += 1
        owners = {partition: members[(partition + shift) % len(members)] for partition in range(PARTITIONS)}
        for member in members:
            member.rebalance(self.generation, {p for p, owner in owners.items() if owner is member})
        self._say(f"rebalance: {', '.join(f'{p} to {owner.name}' for p, owner in owners.items())}")

    def end_calmly(self) -> None:
        """Nothing goes wrong any more until everything is done."""
        self._say("from here on nothing goes wrong")
        for worker in self.workers:
            worker.paused = False
        while self._waiting:
            self.publish(self._waiting.pop(0))
        self._rebalance(0)
        for _ in range(ROUNDS):
            if not (self._round() or self._deadlines()):
                return
        raise AssertionError("messages go round in circles")

    def _round(self) -> bool:
        """Everybody does what there is to do; False once there is nothing."""
        active = [self.work(worker) for worker in list(self.workers)]
        return any(active)

    def work(self, worker: Worker) -> bool:
        """A worker does what there is to do; False once there is nothing."""
        active = False
        for task, place in worker.can_fetch():
            active |= worker.fetch(task, place, 1000) > 0
        while ready := worker.ready():
            active = True
            self.go_on(worker, ready[0])
            if worker not in self.workers:
                return True
        worker.commit(self.generation)
        return active

    def _deadlines(self) -> bool:
        """Whose deadlines have passed hears of it; False if there is nobody."""
        self.idle_seconds += 2 * IDLE_SECONDS * self._ticking
        # foreign writes count once they were seen often enough
        began = [worker.start_timer() for _ in range(LOOKS) for worker in self.workers]
        return any(began)

    def _clock(self) -> float:
        return CLOCK_SECONDS + (self.kafka.now + self.idle_seconds) * self._ticking

    def restart(self) -> Worker:
        """Everybody is killed; one new worker recovers everything from the changelogs."""
        for worker in self.workers:
            worker.crash()
        self.workers = []
        return self.join()

    def _say(self, line: str) -> None:
        self.trace.append(line)
