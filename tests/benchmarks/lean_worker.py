"""The real agents, run by turns without Kafka, event loop or clock: the same input takes the same steps, every time.

`python -m tests.benchmarks.lean_worker FILE EVENTS` runs the first EVENTS touchpoints of a file that `prepare` wrote;
it is what instructions.py counts.
"""

import json
import pickle
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Generator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from deploy.ingest.publisher import message
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.keys import partition_of
from schemas.settings import Settings
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.runtime import cooperative as turns
from streams.runtime.garbage import raise_gc_thresholds
from streams.runtime.publisher import Outbox, OutgoingRecord
from streams.stitch.agent import Stitch
from tests.simulation.worker import CATALOGUE, POLICY, RULES, faust_app

PARTITIONS: Final = 4
#: Touchpoints that arrive at once: a fetch has about a quarter of them, which is a worker under moderate load.
CHUNK: Final = 500

Place = tuple[str, int]
#: Partition, key, value, when it was received (UTC milliseconds).
Prepared = tuple[int, bytes, bytes, int]


def prepare(file: Path, events: int, people: int, seed: int = 1) -> None:
    """Write simulated touchpoints, encoded: making them is no part of what is counted."""
    prepared: list[Prepared] = []
    for event in simulate(Population(people=people, events=events, seed=seed)):
        key, value = message(event, POLICY, CATALOGUE)
        prepared.append((partition_of(key, PARTITIONS), key, value, event["received_at"]))
    file.write_bytes(pickle.dumps(prepared))


class Record:
    """What an agent sees of aiokafka's ConsumerRecord."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "timestamp_type", "topic", "value")

    def __init__(self, place: Place, offset: int, outgoing: OutgoingRecord) -> None:
        self.topic, self.partition = place
        self.offset = offset
        self.timestamp = self.timestamp_type = 0
        self.key, self.value, headers = outgoing
        self.headers = headers or ()


class Event:
    """A fetch on its way through an agent."""

    def __init__(self, records: list[Record]) -> None:
        last = records[-1]
        self.message = SimpleNamespace(partition=last.partition, offset=last.offset)
        self.value = records

    def ack(self) -> None:
        """Nothing is committed here."""


class Stream:
    """What an agent reads: it stops here until it is given the next fetch."""

    def __init__(self) -> None:
        self.fetches: deque[Event] = deque()

    def noack(self) -> "Stream":
        return self

    def events(self) -> "Stream":
        return self

    def __aiter__(self) -> "Stream":
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self

    def __await__(self) -> Generator["Stream", Any, Any]:
        return (yield self)


class Patience:
    """A stop of who waits for the others; it ends by itself, once they had a turn."""

    def __await__(self) -> Generator["Patience", Any, Any]:
        return (yield self)


class Task:
    """An agent, or work beside one, and where it stopped: at its stream, in patience, or in the middle (None)."""

    def __init__(self, coroutine: Any) -> None:
        self.ended = False
        self._coroutine = coroutine
        self.stop: Stream | Patience | None = None
        self.resume(None)

    def resume(self, value: Event | None) -> None:
        """Let it go on to its next stop."""
        try:
            self.stop = self._coroutine.send(value)
        except StopIteration:
            self.ended = True


class LeanWorker:
    """A worker that owns all partitions; to the agents it is their WorkerApp and its publisher."""

    rebalancing = in_recovery = False

    def __init__(self) -> None:
        raise_gc_thresholds()
        self.settings = Settings(partitions=PARTITIONS)
        self.publisher = self.tables = self
        self.topic_partitions = {topic.name: PARTITIONS for topic in topics.ALL}
        self.published: Counter[str] = Counter()  #: records by topic
        self._now_ms = 0
        self._quiet = False  #: whether nobody did anything in the last round but wait for others
        self._ends: dict[Place, int] = defaultdict(int)
        self._streams: dict[str, list[Stream]] = defaultdict(list)
        self._processes: list[tuple[Any, Stream]] = []
        app: Any = self
        Stitch(app, POLICY, CATALOGUE)
        Identity(app, POLICY)
        self._journeys = Journeys(app, CATALOGUE, RULES, clock=lambda: self._now_ms / 1000)
        Accounts(app, RULES)
        self._tasks = [Task(process(stream)) for process, stream in self._processes]

    def __getattr__(self, name: str) -> Any:
        return getattr(faust_app(), name)  # the tables ask for names and settings

    def committed_offset(self, topic: str, partition: int) -> int:  # noqa: ARG002
        """Nothing is committed here."""
        return 0

    def run(self, prepared: list[Prepared]) -> None:
        """Take touchpoints in, chunk by chunk, each with all that it causes."""
        rest = iter(prepared)
        while chunk := list(islice(rest, CHUNK)):
            for partition in range(PARTITIONS):
                self._append(
                    (topics.TOUCHPOINTS.name, partition),
                    [(key, value, None) for place, key, value, _ in chunk if place == partition],
                )
            self._now_ms = chunk[-1][3]
            self._settle()
            self._begin(self._journeys.deadlines())
            self._settle()

    def _begin(self, coroutine: Any) -> None:
        task = Task(coroutine)
        if not task.ended:
            self._tasks.append(task)

    def _settle(self) -> None:
        while self._round():
            pass

    def _round(self) -> bool:
        """Let everybody who can go on have a turn; whether there was one."""
        worked = waited = False
        for task in list(self._tasks):
            if isinstance(task.stop, Patience):
                waited = True
                task.resume(None)
            elif task.stop is None:
                worked = True
                task.resume(None)
            elif task.stop.fetches:
                worked = True
                task.resume(task.stop.fetches.popleft())
        self._tasks = [task for task in self._tasks if not task.ended]
        self._quiet = not worked
        return worked or waited

    # what the agents ask of a WorkerApp

    def add(self, table: Any) -> None:
        """Nothing is recovered here."""

    def fetch_agent(self, topic: topics.Topic, _name: str, process: Any) -> None:
        stream = Stream()
        self._streams[topic.name].append(stream)
        self._processes.append((process, stream))

    def timer(self, interval: float) -> Callable[[Any], Any]:  # noqa: ARG002 (WorkerApp's)
        return lambda deadlines: deadlines

    def outbox(self) -> Outbox:
        return Outbox(self.topic_partitions)

    async def run_in_background(self, work: Any) -> None:
        self._begin(work)

    async def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:  # noqa: ARG002 (no clock)
        """Wait as long as others have something to do."""
        await Patience()
        while not condition() and not self._quiet:
            await Patience()

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        return {place: self._append(place, records) for place, records in outbox.records.items() if records}

    def _append(self, place: Place, outgoing: list[OutgoingRecord]) -> tuple[int, int]:
        topic, _ = place
        first = self._ends[place]
        self._ends[place] += len(outgoing)
        self.published[topic] += len(outgoing)
        if outgoing:
            for stream in self._streams.get(topic, ()):
                stream.fetches.append(
                    Event([Record(place, first + n, one) for n, one in enumerate(outgoing)])
                )
        return first, self._ends[place] - 1


def main(file: str, events: str) -> None:
    """Run the first so many touchpoints and print how many records went where."""
    prepared = pickle.loads(Path(file).read_bytes())
    with patch.object(
        turns, "perf_counter", lambda: 0.0
    ):  # long work rests by the clock, which stands still here
        worker = LeanWorker()
        worker.run(prepared[: int(events)])
    print(json.dumps(worker.published))


if __name__ == "__main__":
    main(*sys.argv[1:])
