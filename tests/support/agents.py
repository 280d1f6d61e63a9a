"""The real agents without Kafka: the records and fetches that Faust hands them, and the application that they run in.

`worker_app` is the worker's own application with another publisher, for a test of one agent. `AgentApp` stands in for
the application, for a test that runs all four agents by a schedule of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import faust
from faust.types import TP

from schemas import topics
from schemas.encoding.codec import name_of
from schemas.settings import Settings
from schemas.tracing.tracer import Tracer
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.journeys.changelog_keys import is_claim
from streams.journeys.rules.rules import JourneyRules
from streams.runtime.app import WorkerApp
from streams.runtime.internal_records import InternalRecords
from streams.runtime.publisher import Headers, Outbox
from streams.runtime.state import ChangelogState
from streams.stitch.agent import Stitch
from tests.support.built_in import CATALOGUE, POLICY, RULES

Place = tuple[str, int]  #: topic, partition


@dataclass(slots=True)
class Record:
    """The fields of aiokafka's ConsumerRecord that agents read."""

    topic: str = ""
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = b""
    value: bytes | None = None
    headers: Headers | tuple[tuple[str, bytes], ...] = ()
    timestamp_type: int = 0


class FetchEvent:
    """A Faust event whose value is a partition fetch. `acknowledged` is called when an agent acknowledges it."""

    def __init__(self, records: list[Any], acknowledged: Callable[[], None] = lambda: None) -> None:
        last = records[-1]
        self.message = SimpleNamespace(partition=last.partition, offset=last.offset)
        self.value = records
        self.ack = acknowledged


class FetchStream:
    """The stream of an agent; a subclass says in `__anext__` how the agent waits for its next event."""

    def noack(self) -> "FetchStream":
        return self

    def events(self) -> "FetchStream":
        return self

    def __aiter__(self) -> "FetchStream":
        return self

    def take_waiting(self) -> Any | None:
        """What waits already: nothing, so an agent is through with an event before it takes the next one."""
        return None

    def is_current(self, event: Any) -> bool:  # noqa: ARG002
        return True


@cache
def faust_app() -> faust.App:
    """The application that tables ask for names and settings."""
    return faust.App(topics.WORKER_GROUP, store="memory://", web_enabled=False)


class Acknowledging:
    """Gives the records of one worker ascending offsets where the publisher of a test gives none.

    It keeps claims to itself: those tests are about the effects of inputs.
    """

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._ends: Counter[Place] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._publisher, name)

    async def read(self, *_: Any) -> list[Any]:
        """Of the log reader: nobody else writes."""
        return []

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        claims = [is_claim(key) for records in outbox.records.values() for key, _, _ in records]
        if claims and all(claims):
            # as if it took no offset; a publisher with a log of its own says where that ends
            end = getattr(self._publisher, "next_offset", None)
            firsts = {place: self._ends[place] if end is None else end() for place in outbox.records}
            return {place: (first, first - 1) for place, first in firsts.items()}
        given = {}
        for place, records in outbox.records.items():
            first = self._ends[place]
            self._ends[place] += len(records)
            given[place] = first, self._ends[place] - 1
        return given | await self._publisher.publish(outbox)


def worker_app(publisher: Any = None, partitions: int = 1) -> WorkerApp:
    """The worker's own application, not started: it knows the topics, and `publisher` takes its outboxes."""
    app = WorkerApp(Settings(partitions=partitions))
    app.topic_partitions = {app.settings.topic(topic.name): partitions for topic in topics.ALL}
    app.committed_offset = lambda *_: 0  # type: ignore[method-assign]  # its consumer has not started
    if publisher is not None:
        app.publisher = app.log_reader = Acknowledging(publisher)  # type: ignore[assignment]
    return app


class AgentApp:
    """The part of a WorkerApp that the four agents use. A subclass publishes, and decides who goes on when."""

    rebalancing = in_recovery = False

    def __init__(self, partitions: int) -> None:
        self.settings = Settings(partitions=partitions)
        self.publisher = self.tables = self.log_reader = self
        self.topic_partitions = {topic.name: partitions for topic in topics.ALL}
        self.touchpoint_tracer: Tracer | None = None
        self.internal = InternalRecords(self)  # type: ignore[arg-type]
        self.states: list[ChangelogState[Any]] = []
        self.agents: list[tuple[str, str, Callable[[Any], Any]]] = []  #: name, topic, coroutine function
        self.timers: list[Callable[[], Any]] = []

    def start(self, clock: Callable[[], float], rules: JourneyRules = RULES) -> Journeys:
        """Create the agents: their states and coroutine functions register here. Returns the agent of deadlines."""
        app: Any = self
        Stitch(app, POLICY, CATALOGUE, clock=clock)
        Identity(app, POLICY)
        journeys = Journeys(app, CATALOGUE, rules, clock=clock)
        Accounts(app, rules)
        return journeys

    def __getattr__(self, name: str) -> Any:
        return getattr(faust_app(), name)

    def add(self, table: ChangelogState[Any]) -> None:
        self.states.append(table)

    def fetch_agent(self, topic: topics.Topic, name: str, process: Callable[[Any], Any]) -> None:
        self.agents.append((name, topic.name, process))

    def timer(self, interval: float) -> Callable[[Any], Any]:
        assert interval > 0
        return self.timers.append

    def outbox(self) -> Outbox:
        return Outbox(self.topic_partitions)

    async def wait_until(self, condition: Callable[[], bool], seconds: float) -> None:
        raise NotImplementedError

    async def run_in_background(self, work: Any) -> None:
        raise NotImplementedError

    async def publish(self, outbox: Outbox) -> dict[Place, tuple[int, int]]:
        raise NotImplementedError

    def committed_offset(self, topic: str, partition: int) -> int:  # noqa: ARG002
        """Nothing is committed, unless a subclass has a log."""
        return 0

    def recover_from_beginning(self, tp: TP) -> None:
        """`recover` asks the state alone how far it has read."""

    def last_changelog_offset(self, tp: TP) -> int:  # noqa: ARG002
        """`recover` reads every changelog to its end."""
        return -1

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:  # noqa: ARG002
        """Of the log reader: nobody else writes changelogs, unless a subclass has a log."""
        return {}

    async def read(self, topic: str, partition: int, start: int) -> list[Any] | None:  # noqa: ARG002
        """Of the log reader."""
        return []


def recover(
    state: ChangelogState[Any],
    partitions: Iterable[int],
    read: Callable[[Place, int], Iterable[list[Any]]],
    generation: int = 0,
) -> int:
    """Recover a state as Faust does after a rebalance. Returns how many changelog records were applied.

    `read` returns the fetches of a changelog partition from an offset on.
    """
    parts = {TP(state.topic_name, partition) for partition in partitions}
    count = 0
    at_once(state.on_rebalance(parts, set(), set(), generation))
    for part in parts:
        known = state.persisted_offset(part)
        for records in read((part.topic, part.partition), 0 if known is None else known + 1):
            state.apply_changelog_batch([FetchEvent(records)])
            count += len(records)
    at_once(state.on_recovery_completed(parts, set()))
    return count


def at_once(work: Any) -> None:
    """Run a coroutine that waits for nothing; it may let others have their turn."""
    try:
        while True:
            stop = work.send(None)
            assert stop is None, f"it waits for {stop!r}"
    except StopIteration:
        pass


def assert_named(topic: str, value: bytes | None) -> None:
    """Fail if the topic gets a record that `schemas/topics.py` does not name among its values."""
    if value is not None:
        named = next(one.values for one in topics.ALL if one.name == topic)
        name = name_of(value)
        assert name in named, f"{topic} gets a {name}: schemas/topics.py names {', '.join(named)}"
