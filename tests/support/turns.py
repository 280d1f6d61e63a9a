"""All agents by turns without Kafka, event loop or threads: the same input takes the same steps, every time."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Any, Final
from unittest.mock import patch

from schemas import topics
from streams.journeys.changelog_keys import is_claim
from streams.journeys.rules.rules import JourneyRules
from streams.runtime import cooperative
from streams.runtime.garbage import raise_gc_thresholds
from streams.runtime.publisher import Outbox, OutgoingRecord
from tests.support.agents import AgentApp, FetchEvent, FetchStream, Place, Record, recover
from tests.support.built_in import RULES

FETCH_RECORDS: Final = 2_000  #: as WorkerApp's broker_max_poll_records
#: The newest record of each key of each changelog partition, as compaction leaves them.
Changelogs = dict[Place, dict[bytes | None, bytes | None]]


class Stream(FetchStream):
    """What an agent reads: it stops here until it is given the next fetch."""

    def __init__(self) -> None:
        self.fetches: deque[FetchEvent] = deque()

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

    def resume(self, value: FetchEvent | None) -> None:
        """Let it go on to its next stop."""
        try:
            self.stop = self._coroutine.send(value)
        except StopIteration:
            self.ended = True


class TurnsWorker(AgentApp):
    """A worker that owns all partitions. Nothing is ever lost or late here, and a dead letter is an AssertionError.

    Records that nobody reads are counted and dropped; `changelogs`, if given, collects those of the changelogs, and
    `look` sees every record with its topic. `rewrite` changes each value before anybody reads it.
    """

    def __init__(
        self,
        partitions: int,
        clock: Callable[[], float] = time.time,
        rules: JourneyRules = RULES,
        *,
        changelogs: Changelogs | None = None,
        look: Callable[[str, OutgoingRecord], None] | None = None,
        rewrite: Callable[[bytes], bytes] | None = None,
    ) -> None:
        raise_gc_thresholds()
        super().__init__(partitions)
        self.published: Counter[str] = Counter()  #: records by topic
        self._changelogs = changelogs
        self._look = look
        self._rewrite = rewrite
        self._quiet = False  #: whether nobody did anything in the last round but wait for others
        self._ends: dict[Place, int] = defaultdict(int)
        self._streams: dict[str, list[Stream]] = defaultdict(list)
        self._journeys = self.start(clock, rules)
        self._tasks: list[Task] = []
        for _, topic, process in self.agents:
            stream = Stream()
            self._streams[topic].append(stream)
            self._tasks.append(Task(process(stream)))

    def feed(self, records: Mapping[Place, list[OutgoingRecord]]) -> None:
        """Take records in and do everything that they cause, deadlines too."""
        for place, outgoing in records.items():
            self._append(place, outgoing)
        self._settle()
        self._begin(self._journeys.deadlines())
        self._settle()

    def restore(self, changelogs: Changelogs) -> int:
        """Recover every state from changelogs, in fetches as Faust reads them. Returns how many records."""

        def read(place: Place, start: int) -> Iterable[list[Record]]:
            records = [
                Record(*place, offset, 0, key, value)
                for offset, (key, value) in enumerate(changelogs.get(place, {}).items())
            ][start:]
            return (records[at : at + FETCH_RECORDS] for at in range(0, len(records), FETCH_RECORDS))

        return sum(recover(state, range(self.settings.partitions), read) for state in self.states)

    def _begin(self, coroutine: Any) -> None:
        task = Task(coroutine)
        if not task.ended:
            self._tasks.append(task)

    def _settle(self) -> None:
        # long work lets others have their turn by the clock, which stands still here
        with patch.object(cooperative, "perf_counter", lambda: 0.0):
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
        topic, partition = place
        first = self._ends[place]
        self._ends[place] += len(outgoing)
        self.published[topic] += len(outgoing)
        assert topic != topics.DEAD_LETTERS.name, f"a dead letter: {outgoing[0][1]!r}"
        if self._rewrite is not None:
            outgoing = [(key, value and self._rewrite(value), headers) for key, value, headers in outgoing]
        if self._look is not None:
            for record in outgoing:
                if not is_claim(record[0]):  # it has a new name in each run
                    self._look(topic, record)
        if self._changelogs is not None and topic.endswith("-changelog"):
            _compact(self._changelogs.setdefault(place, {}), outgoing)
        for stream in self._streams.get(topic, ()):
            for at in range(0, len(outgoing), FETCH_RECORDS):
                part = enumerate(outgoing[at : at + FETCH_RECORDS], first + at)
                stream.fetches.append(
                    FetchEvent([
                        Record(topic, partition, offset, 0, key, value, headers or ())
                        for offset, (key, value, headers) in part
                    ])
                )  # fmt: skip
        return first, self._ends[place] - 1


def _compact(kept: dict[bytes | None, bytes | None], records: list[OutgoingRecord]) -> None:
    for key, value, _ in records:
        kept.pop(key, None)
        if value is not None:
            kept[key] = value
