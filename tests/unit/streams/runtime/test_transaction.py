"""The fetch transaction: outputs, then changelog, then acknowledgement, whatever an agent does in between."""

import asyncio
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason, SettingsError
from streams.runtime.publisher import Outbox
from streams.runtime.transaction import FetchTransaction
from tests.support.agents import FetchEvent, Record, worker_app

OUT = topics.JOURNEY_STATES.name
SIGNALS = topics.JOURNEY_SIGNALS.name
RECORD = Record("touchpoints", offset=7, key=b"k", value=b"v")


class World:
    """One partition: the order of everything that happens stands in `steps`."""

    topic_name = "changelog"

    def __init__(self) -> None:
        self.steps: list[Any] = []
        self.gone_after = 1 << 30  #: publications, after which a rebalance has taken the partition away
        self.publications = 0
        self.broken: str | None = None  #: a topic that takes nothing
        self.state: Any = object()
        self.app = worker_app(self)
        self.event = FetchEvent([RECORD], lambda: self.steps.append("ack"))

    def of(self, _: int) -> Any:
        return self.state

    def holds(self, *_: Any) -> bool:
        return self.publications < self.gone_after

    def record_own_writes(self, _: int, __: Any, first: int, last: int) -> None:
        self.steps.append(("written", first, last))

    async def publish(self, outbox: Outbox) -> dict[Any, tuple[int, int]]:
        topics_of = sorted({topic for topic, _ in outbox.records})
        if self.broken in topics_of:
            raise ConnectionError(f"{self.broken} takes nothing")
        self.publications += 1
        if topics_of:
            self.steps.append(tuple(topics_of))
        return {place: (0, len(records) - 1) for place, records in outbox.records.items()}

    def fetch(self, *, event: bool = True) -> FetchTransaction[Any]:
        table: Any = self
        return FetchTransaction(self.app, table, 0, "test", self.event if event else None)

    def run(self, body: Any, *, event: bool = True) -> list[Any]:
        async def running() -> None:
            async with self.fetch(event=event) as fetch:
                body(fetch)
            await asyncio.sleep(0.01)  # late work runs beside the agent

        asyncio.run(running())
        return self.steps


def everything(fetch: FetchTransaction[Any]) -> None:
    fetch.publish(OUT, b"key", b"state")
    fetch.write(b"key", b"entry")


def test_outputs_go_before_the_changelog_and_the_acknowledgement_comes_last() -> None:
    assert World().run(everything) == [(OUT,), ("changelog",), ("written", 0, 0), "ack"]


def test_a_fetch_without_effects_is_acknowledged() -> None:
    assert World().run(lambda _: None) == ["ack"]


def test_a_timer_has_nothing_to_acknowledge() -> None:
    assert World().run(everything, event=False) == [(OUT,), ("changelog",), ("written", 0, 0)]


def announcing(fetch: FetchTransaction[Any]) -> None:
    everything(fetch)
    fetch.announced.add(SIGNALS, b"key", b"signal")
    fetch.write_ahead = [(b"ahead", b"1", None)]
    fetch.write_after_outputs(lambda: [(b"ahead", None, None)])


def test_what_a_write_ahead_record_announces_goes_out_after_that_record() -> None:
    assert World().run(announcing) == [
        ("changelog", OUT), ("written", 0, 0), (SIGNALS,), ("changelog",), ("written", 0, 1), "ack",
    ]  # fmt: skip


def test_without_a_write_ahead_record_everything_goes_out_together() -> None:
    def body(fetch: FetchTransaction[Any]) -> None:
        announcing(fetch)
        fetch.write_ahead = []

    assert World().run(body)[0] == (SIGNALS, OUT)


@pytest.mark.parametrize(
    ("gone_after", "steps"),
    [
        (0, []),
        (1, [("changelog", OUT), ("written", 0, 0)]),
        (2, [("changelog", OUT), ("written", 0, 0), (SIGNALS,)]),
    ],
)
def test_nothing_more_is_written_or_acknowledged_once_the_partition_has_gone(
    gone_after: int, steps: list[Any]
) -> None:
    world = World()
    world.gone_after = gone_after
    assert world.run(announcing) == steps


def test_late_work_is_published_before_the_acknowledgement() -> None:
    def body(fetch: FetchTransaction[Any]) -> None:
        async def late(outputs: Outbox) -> None:
            outputs.add(SIGNALS, b"key", b"late")

        everything(fetch)
        fetch.finish_in_background(late)

    assert World().run(body) == [(OUT,), ("changelog",), ("written", 0, 0), (SIGNALS,), "ack"]


@pytest.mark.parametrize("broken", [OUT, "changelog", SIGNALS])
def test_a_publication_that_fails_leaves_the_fetch_unacknowledged(broken: str) -> None:
    world = World()
    world.broken = broken
    with pytest.raises(ConnectionError):
        world.run(announcing)
    assert "ack" not in world.steps


def test_an_exception_in_the_body_publishes_nothing() -> None:
    def body(fetch: FetchTransaction[Any]) -> None:
        everything(fetch)
        raise KeyError("a bug outside any record")

    world = World()
    with pytest.raises(KeyError):
        world.run(body)
    assert world.steps == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ContractError(Reason.INVALID, "no"), "INVALID"), (KeyError("a bug"), "UNEXPECTED")],
)
def test_one_bad_record_becomes_a_dead_letter_and_the_next_is_served(error: Exception, reason: str) -> None:
    served, letters = [], []

    def body(fetch: FetchTransaction[Any]) -> None:
        for number in range(2):
            with fetch.dead_letter(RECORD):
                if number == 0:
                    raise error
                served.append(number)
        letters.extend(fetch.outputs.records[topics.DEAD_LETTERS.name, 0])

    World().run(body)
    assert served == [1]
    assert [DEAD_LETTER.decode(value)["reason"] for _, value, _ in letters] == [reason]


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError("disk"), SettingsError("wrong"), KeyboardInterrupt()]
)
def test_what_is_not_the_records_fault_stops_the_worker(error: BaseException) -> None:
    def body(fetch: FetchTransaction[Any]) -> None:
        with fetch.dead_letter(RECORD):
            raise error

    world = World()
    with pytest.raises(type(error)):
        world.run(body)
    assert world.steps == []
