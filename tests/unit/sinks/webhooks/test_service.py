"""An instance of the service in its group: which partitions it works on, and that it always ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.webhooks import service
from sinks.webhooks.changelog import Partition
from sinks.webhooks.service import Service
from tests.support.webhooks import endpoint


class Group:
    """The consumer of an instance, the changelog and the ends of the topics."""

    def __init__(self) -> None:
        self.listener: Any = None
        self.assigned: set[TopicPartition] = set()
        self.paused: set[TopicPartition] = set()
        self.restored: list[int] = []
        self.asked: Callable[[], Awaitable[None]] | None = None  #: once, while it is asked what is committed
        self.fetch: Callable[[], Awaitable[Any]] = self.nothing

    def __call__(self, *_: Any, **__: Any) -> "Group":
        return self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def of(self, *_: Any) -> "Group":
        return self

    def subscribe(self, _: Any, listener: Any) -> None:
        self.listener = listener

    async def assign(self, *places: TopicPartition) -> None:
        """Shared out anew, as Kafka does: everything is given up first."""
        await self.listener.on_partitions_revoked(self.assigned)
        self.assigned, self.paused = set(places), set()
        await self.listener.on_partitions_assigned(self.assigned)

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= set(places)

    def highwater(self, _: TopicPartition) -> None:
        return None

    async def committed(self, _: TopicPartition) -> int:
        if self.asked is not None:
            once, self.asked = self.asked, None
            await once()
        return 5

    async def read(self, number: int) -> list[Any]:
        self.restored.append(number)
        return []

    async def getmany(self, **_: Any) -> Any:
        return await self.fetch()

    async def nothing(self) -> dict[Any, Any]:
        await asyncio.sleep(0.005)
        return {}


@asynccontextmanager
async def running(
    monkeypatch: pytest.MonkeyPatch, group: Group
) -> AsyncIterator[tuple[Service, dict[int, Partition], "asyncio.Task[None]"]]:
    for name in ("AIOKafkaConsumer", "Changelog", "Ends"):
        monkeypatch.setattr(service, name, group)
    monkeypatch.setattr(service, "STOP_SECONDS", 0.05)
    to, partitions = endpoint(changes=("stage",)), dict[int, Partition]()
    one = Service(Settings(), {to.name: to}, partitions, (), ready=lambda _: None)
    task = asyncio.create_task(one.run())
    async with asyncio.timeout(20):
        await until(lambda: group.listener is not None)
        yield one, partitions, task
        one.stop()
        await asyncio.wait((task,))


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 (nobody tells of it)
        await asyncio.sleep(0.005)


def places(topic: str, *numbers: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in numbers]


def test_an_outbox_goes_with_the_signals_also_where_another_instance_reads_no_states(monkeypatch) -> None:
    """While `changes` are added to one instance after the other, Kafka shares the topics out differently."""

    async def run() -> None:
        group = Group()
        async with running(monkeypatch, group) as (_, partitions, _):
            await group.assign(*places("journey-signals", 2, 3), *places("journey-states", 0, 1, 2, 3))
            await until(lambda: len(partitions) == 2)
            await asyncio.sleep(0.02)
            assert sorted(partitions) == group.restored == [2, 3]
            assert group.paused == set(places("journey-states", 0, 1)), "another instance has their outboxes"

    asyncio.run(run())


def test_a_partition_that_went_and_came_back_while_it_was_restored_is_restored_anew(monkeypatch) -> None:
    """Another instance may have told something in between, of which the outbox that was read knows nothing."""

    async def run() -> None:
        group = Group()
        mine = places("journey-signals", 0)

        async def rebalance() -> None:
            await group.assign(*mine)

        group.asked = rebalance
        async with running(monkeypatch, group) as (_, partitions, _):
            await group.assign(*mine)
            await until(lambda: bool(partitions))
            assert (group.restored, group.paused) == ([0, 0], set())

    asyncio.run(run())


def test_it_stops_also_while_kafka_does_not_let_it_read(monkeypatch) -> None:
    async def run() -> None:
        group = Group()
        group.fetch = asyncio.Event().wait
        async with running(monkeypatch, group) as (one, _, task):
            await asyncio.sleep(0.02)
            one.stop()
            await task

    asyncio.run(run())


def test_what_aiokafka_cancels_of_its_own_ends_it_with_a_sentence(monkeypatch) -> None:
    """Else it would end as if somebody had stopped it, and no supervisor would start it again."""

    async def leak() -> Any:
        raise asyncio.CancelledError

    async def run() -> None:
        group = Group()
        group.fetch = leak
        async with running(monkeypatch, group) as (_, _, task):
            with pytest.raises(UnavailableError, match="does not answer"):
                await task

    asyncio.run(run())
