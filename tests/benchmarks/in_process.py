"""A worker without Kafka: the real agents on an event loop, and topics that are queues. For measuring what they cost.

Nothing is ever lost or late here, and what nobody reads is forgotten at once, unless it is a changelog that is kept.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

from faust.types import TP

from schemas import topics
from schemas.records import Touchpoint
from schemas.settings import Settings
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.runtime.garbage import calm_down
from streams.runtime.publisher import Outbox
from streams.stitch.agent import Stitch
from tests.simulation.worker import CATALOGUE, POLICY, RULES, faust_app

PARTITIONS: Final = 4
FETCH_RECORDS: Final = 2_000  #: as WorkerApp's broker_max_poll_records
LOOK_SECONDS: Final = 0.005  #: as WorkerApp's

Place = tuple[str, int]
#: What an outbox holds: key, value, headers.
Outgoing = tuple[bytes | None, bytes | None, Any]


class Record:
    """What an agent sees of aiokafka's ConsumerRecord."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "timestamp_type", "topic", "value")

    def __init__(self, place: Place, offset: int, outgoing: Outgoing) -> None:
        self.topic, self.partition = place
        self.offset = offset
        self.timestamp = self.timestamp_type = 0
        self.key, self.value, headers = outgoing
        self.headers = headers or ()


class Event:
    """A fetch on its way through an agent."""

    def __init__(self, worker: "InProcess", records: list[Record]) -> None:
        last = records[-1]
        self.message = SimpleNamespace(partition=last.partition, offset=last.offset)
        self.value = records
        self._worker = worker

    def ack(self) -> None:
        self._worker.done(len(self.value))


class Stream:
    """What one agent reads: the partitions of a topic, one fetch after the other."""

    def __init__(self, worker: "InProcess") -> None:
        self._worker = worker
        self.pending: dict[int, deque[Record]] = defaultdict(deque)
        self.arrived = asyncio.Event()

    def noack(self) -> "Stream":
        return self

    def events(self) -> "Stream":
        return self

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Event:
        while True:
            for partition, records in list(self.pending.items()):
                if records:
                    # to the end of the round, as a consumer takes turns between its partitions
                    self.pending[partition] = self.pending.pop(partition)
                    fetched = list(islice(records, FETCH_RECORDS))
                    for _ in fetched:
                        records.popleft()
                    return Event(self._worker, fetched)
            self.arrived.clear()
            await self.arrived.wait()


class InProcess:
    """A worker that owns all partitions; to the agents it is their WorkerApp and its publisher.

    `changelogs` keeps the newest record of each key of the changelog topics, as compaction does, if `keep`.
    """

    rebalancing = in_recovery = False

    def __init__(self, *, keep: bool = False) -> None:
        calm_down()
        self.settings = Settings(partitions=PARTITIONS)
        self.publisher = self.tables = self
        self.topic_partitions = {topic.name: PARTITIONS for topic in topics.ALL}
        self.states: list[Any] = []
        self.changelogs: dict[Place, dict[bytes | None, bytes | None]] = defaultdict(dict)
        self._keep = keep
        self._agents: list[tuple[Any, Stream]] = []
        self._ends: dict[Place, int] = defaultdict(int)
        self._streams: dict[str, list[Stream]] = defaultdict(list)
        self._open = 0
        self._idle = asyncio.Event()
        agents: Any = self
        Stitch(agents, POLICY, CATALOGUE)
        Identity(agents, POLICY)
        self._journeys = Journeys(agents, CATALOGUE, RULES)
        Accounts(agents, RULES)
        self._tasks = [asyncio.ensure_future(process(stream)) for process, stream in self._agents]

    def __getattr__(self, name: str) -> Any:
        return getattr(faust_app(), name)  # the tables ask for names and settings

    async def feed(self, messages: Iterable[tuple[Place, bytes, bytes]]) -> None:
        """Put touchpoints in and return when everything that they cause is done, deadlines too."""
        self._idle.clear()
        for place, key, value in messages:
            self._append(place, [(key, value, None)])
        await self.idle()
        await self._journeys.deadlines()

    async def idle(self) -> None:
        """Wait until nothing is under way. Raises what an agent raised."""
        waiting = asyncio.ensure_future(self._idle.wait())
        await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            if task.done():
                task.result()

    async def restore(self, changelogs: dict[Place, dict[bytes | None, bytes | None]]) -> int:
        """Recover every state from changelogs, in fetches as Faust reads them. Returns how many records."""
        count = 0
        for state in self.states:
            parts = {TP(state.topic_name, number) for number in range(PARTITIONS)}
            await state.on_rebalance(parts, set(), set())
            for part in parts:
                records = [
                    Record(tuple(part), n, (key, value, None))
                    for n, (key, value) in enumerate(changelogs[tuple(part)].items())
                ]
                for start in range(0, len(records), FETCH_RECORDS):
                    state.apply_changelog_batch([Event(self, records[start : start + FETCH_RECORDS])])
                count += len(records)
            await state.on_recovery_completed(parts, set())
        return count

    async def close(self) -> None:
        """End the agents."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def done(self, records: int) -> None:
        """An agent acknowledged a fetch of so many records."""
        self._open -= records
        if not self._open:
            self._idle.set()

    # what the agents ask of a WorkerApp

    def add(self, table: Any) -> None:
        self.states.append(table)

    def fetch_agent(self, topic: topics.Topic, _name: str, process: Any) -> None:
        stream = Stream(self)
        self._streams[topic.name].append(stream)
        self._agents.append((process, stream))

    def timer(self, interval: float) -> Any:  # noqa: ARG002 (WorkerApp's)
        return lambda deadlines: deadlines

    def outbox(self) -> Outbox:
        return Outbox(self.topic_partitions)

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 (as WorkerApp does)
            await asyncio.sleep(LOOK_SECONDS)

    async def meanwhile(self, work: Any) -> None:
        await work

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        return {place: self._append(place, records) for place, records in outbox.records.items() if records}

    def _append(self, place: Place, records: list[Outgoing]) -> tuple[int, int]:
        topic, partition = place
        first = self._ends[place]
        self._ends[place] += len(records)
        if topic == topics.DEAD_LETTERS.name:
            raise AssertionError(f"a dead letter: {records[0][1]!r}")
        if self._keep and topic.endswith("-changelog"):
            self._compact(self.changelogs[place], records)
        readers = self._streams.get(topic, ())
        for stream in readers:
            stream.pending[partition].extend(
                Record(place, first + number, record) for number, record in enumerate(records)
            )
            stream.arrived.set()
            self._open += len(records)
        return first, self._ends[place] - 1

    @staticmethod
    def _compact(kept: dict[bytes | None, bytes | None], records: list[Outgoing]) -> None:
        for key, value, _ in records:
            kept.pop(key, None)
            if value is not None:
                kept[key] = value


def touchpoint_of(number: int, profile: int, at: int, kind: str, *, customer: bool) -> Touchpoint:
    """A touchpoint of a shop's visitor with a cookie, and with a customer id if they are known."""
    known = [{"type": "customer_id", "value": f"C{profile:08}"}] if customer else []
    bought = kind == "purchase"
    return {
        "tenant": "default", "event_id": f"e-{number:010}", "occurred_at": at, "received_at": at,
        "source": "web-shop", "channel": ("web", "app", "email")[number % 3], "type": kind,
        "identifiers": [*known, {"type": "cookie", "value": f"ck-{profile:012x}"}],  # type: ignore[list-item]
        "account_id": None, "session_id": None, "issue_id": "i1" if kind == "support_chat" else None, "campaign": None,
        "amount_minor": 4990 if bought else None, "currency": "EUR" if bought else None, "sentiment": None,
        "score": None, "consent": {}, "experiments": {}, "link": "OBSERVED",
        "attributes": {"page": "/p/4711", "referrer": "https://example.org/"},
    }  # fmt: skip
