"""The outbox's way to Kafka: nothing waits for ever, and an instance that came late hides nothing."""

import asyncio
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from schemas.encoding.record_types import WEBHOOK_MESSAGE
from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.webhooks import changelog, service
from sinks.webhooks.changelog import Changelog, Partition, RevokedError, key_of
from sinks.webhooks.outbox import Outbox
from sinks.webhooks.service import Service
from tests.support.webhooks import NOW, endpoint, message, notice


class Broken:
    """A changelog that fails in a given way; `None`: it takes everything."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.writes = 0

    async def write(self, *_: Any) -> None:
        self.writes += 1
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error


def partition_of(kafka: Broken) -> Partition:
    to = endpoint()
    found = Partition(0, Outbox({to.name: to}), kafka, lambda _: None, lambda: None)  # type: ignore[arg-type]
    found.outbox.take(notice(), to, wanted=True, now=NOW)
    return found


def test_what_cannot_be_written_on_a_bug_ends_the_process_and_keeps_nobody_waiting(caplog) -> None:
    async def run() -> None:
        partition = partition_of(Broken(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")))
        async with asyncio.timeout(5):
            for _ in range(2):
                with pytest.raises(UnavailableError, match="outbox"):
                    await partition.flush()
        assert partition.failure is not None

    asyncio.run(run())
    assert "cannot be written" in caplog.text


def test_a_partition_is_given_up_once_what_is_under_way_has_ended(monkeypatch) -> None:
    """A write that lands after the next owner has read would hide what that one writes."""
    monkeypatch.setattr(changelog, "_AGAIN_SECONDS", 0.01)

    async def run() -> None:
        kafka = Broken(None)
        partition = partition_of(kafka)
        flush = asyncio.create_task(partition.flush())
        await asyncio.sleep(0)
        await partition.close(5)
        assert flush.done() or kafka.writes == 1
        await flush
        with pytest.raises(RevokedError):
            await partition.flush()

        away = partition_of(Broken(KafkaConnectionError()))
        flush = asyncio.create_task(away.flush())
        await asyncio.sleep(0.02)
        await away.close(5)
        with pytest.raises(RevokedError):
            await flush

    asyncio.run(run())


class Record(NamedTuple):
    key: bytes
    value: bytes | None


class Kafka:
    """One partition of the changelog, for the consumer that restores it and the producer."""

    def __init__(self, *values: tuple[str, int, str] | str) -> None:
        self.log = [self.record(one) for one in values]
        self.at = 0

    def record(self, one: tuple[str, int, str] | str) -> Record:
        """Subject, version and what is wanted; a subject alone is a tombstone."""
        if isinstance(one, str):
            return Record(key_of(message(one).key), None)
        subject, version, wanted = one
        told = message(subject, wanted, version)
        return Record(key_of(told.key), WEBHOOK_MESSAGE.encode(told.record()))

    def __call__(self, **_: Any) -> "Kafka":
        return self

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, _: Any) -> None: ...

    async def seek_to_beginning(self, *_: Any) -> None:
        self.at = 0

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, len(self.log))

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def getmany(self, place: TopicPartition, **_: Any) -> dict[TopicPartition, list[Record]]:
        found = self.log[self.at : self.at + 2]
        self.at += len(found)
        return {place: found}

    async def send(self, _topic: str, *, value: bytes, key: bytes, partition: int) -> Any:
        self.log.append(Record(key, value))
        done = asyncio.get_running_loop().create_future()
        done.set_result(partition)
        return done


def restored(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    monkeypatch.setattr(changelog, "AIOKafkaConsumer", kafka)
    monkeypatch.setattr(changelog, "AIOKafkaProducer", kafka)

    async def run() -> list[Any]:
        log = Changelog(Settings())
        await log.start()
        return list(await log.read(0))

    return sorted((one["subject"], one["wanted"]) for one in asyncio.run(run()))


def test_what_an_instance_writes_that_has_lost_the_partition_hides_no_retraction(monkeypatch) -> None:
    kafka = Kafka(("s1", 2, "RAISED"), ("s2", 2, "RAISED"), ("s1", 4, "RETRACTED"), ("s1", 2, "RAISED"))
    assert restored(kafka, monkeypatch) == [("s1", "RETRACTED"), ("s2", "RAISED")]
    assert kafka.log[-1] == kafka.record(("s1", 4, "RETRACTED")), "compaction keeps the newest offset"
    before = len(kafka.log)
    assert restored(kafka, monkeypatch) == [("s1", "RETRACTED"), ("s2", "RAISED")]
    assert len(kafka.log) == before


def test_a_message_that_was_forgotten_begins_anew(monkeypatch) -> None:
    kafka = Kafka(("s1", 9, "RETRACTED"), "s1", ("s1", 2, "RAISED"), ("s2", 1, "RAISED"), "s2")
    assert restored(kafka, monkeypatch) == [("s1", "RAISED")]


class Group:
    """The consumer of an instance: what it is assigned, and what is paused."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= set(places)


def test_an_outbox_goes_with_the_signals_also_where_another_instance_reads_no_states() -> None:
    """While `changes` are added to one instance after the other, Kafka shares the topics out differently."""
    to = endpoint(changes=("stage",))
    one = Service(Settings(), {to.name: to}, {}, (), ready=lambda _: None)
    group = Group()
    one._consumer = group
    signals = [TopicPartition("journey-signals", number) for number in (2, 3)]
    states = [TopicPartition("journey-states", number) for number in range(4)]
    asyncio.run(one.on_partitions_assigned([*signals, *states]))
    assert one._unread == {2, 3}
    assert group.paused == {*signals, *states}, "those of 2 and 3 are read once their outbox is there"


def test_the_service_stops_also_while_it_cannot_read(monkeypatch) -> None:
    monkeypatch.setattr(service, "_STOP_SECONDS", 0.05)

    async def run() -> None:
        to = endpoint()
        one = Service(Settings(), {to.name: to}, {}, (), ready=lambda _: None)

        async def never() -> None:
            await asyncio.Event().wait()

        one._read = never  # type: ignore[method-assign]
        asyncio.get_running_loop().call_later(0.02, one.stop)
        async with asyncio.timeout(5):
            await one._until_stopped()

        async def leaks() -> None:
            raise asyncio.CancelledError  # as aiokafka does when a broker is killed

        two = Service(Settings(), {to.name: to}, {}, (), ready=lambda _: None)
        two._read = leaks  # type: ignore[method-assign]
        with pytest.raises(UnavailableError, match="does not answer"):
            async with asyncio.timeout(5):
                await two._until_stopped()

    asyncio.run(run())
