"""What keeps the table up to date: it reads on where it stopped, knows how fresh it is, and when it must begin anew."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from schemas import topics
from schemas.errors import UnavailableError
from schemas.settings import Settings
from schemas.version_bounds import VERSION_SLACK
from sinks.subscribers.table import ends, follower
from sinks.subscribers.table.database import Database, Deployment
from sinks.subscribers.table.entries import FOLLOWED
from sinks.subscribers.table.follower import AWAY_SECONDS, Follower
from sinks.subscribers.table.store import StateTable
from tests.support.ids import person
from tests.support.kafka_records import Consumed
from tests.support.state_log import PARTITIONS, highest, no_state, placed, state

COUNTED = (topics.JOURNEY_INPUTS, topics.IDENTITY_LINKS, topics.ACCOUNT_INPUTS)
LOG = placed([state("a", 1), state("b", 2), state("a", 3), no_state("b", 4), state("c", 5)])


class Kafka:
    """A broker whose records are a list; one consumer at a time reads it."""

    def __init__(self, log: list[Consumed]) -> None:
        self.log = log
        self.away = False
        self.read: list[tuple[str, int, int]] = []
        self.asked: Callable[[], object] = lambda: None  #: while it answers a question for the ends
        self.understated = 0  #: records that the question for the ends leaves out, as Tansu does
        self.fails: BaseException | None = None  #: what the next fetch and each stop raise
        self._at: dict[TopicPartition, int] = {}

    async def counts(self, _: Settings) -> dict[str, int]:
        return {topic.name: PARTITIONS for topic in (*FOLLOWED, *COUNTED)}

    def consumer(self, **_: Any) -> "Kafka":
        return self

    async def start(self) -> None:
        if self.away:
            raise KafkaConnectionError("away")

    async def stop(self) -> None:
        if self.fails is not None:
            raise self.fails

    def assign(self, places: list[TopicPartition]) -> None:
        self._at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    async def position(self, place: TopicPartition) -> int:
        return self._at[place]

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaConnectionError("away")
        found = {place: max(0, self.highwater(place) - self.understated) for place in places}
        self.asked()
        return found

    def highwater(self, place: TopicPartition) -> int:
        return sum((one.topic, one.partition) == place for one in self.log)

    async def getmany(self, *_places: TopicPartition, **_: int) -> dict[TopicPartition, list[Consumed]]:
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        found: dict[TopicPartition, list[Consumed]] = {}
        if self.away:
            return found
        if beyond := [place for place in self._at if self._at[place] > self.highwater(place)]:
            raise OffsetOutOfRangeError(beyond)
        for place in self._at:
            some = [
                one
                for one in self.log
                if (one.topic, one.partition) == place and one.offset >= self._at[place]
            ]
            if some[:2]:
                found[place] = some[:2]
                self._at[place] = some[:2][-1].offset + 1
                self.read += [(one.topic, one.partition, one.offset) for one in some[:2]]
        if not found:
            await asyncio.sleep(0.01)
        return found


class World:
    def __init__(self, database: Database, kafka: Kafka) -> None:
        self.database, self.kafka = database, kafka
        self.table = StateTable(database, "")
        self.now = 1_000_000.0
        self.told: list[str] = []
        self.follower = Follower(Settings(), self.table, self, clock=lambda: self.now)

    def applied(self, batch: Any, positions: Any) -> None:
        assert self.table.positions().items() <= positions.items(), "it is told after it is on disk"
        self.told += [f"{entry.name}@{entry.version}" for entry in batch.entries]

    def cleared(self) -> None:
        self.told.append("cleared")

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.follower.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until(self, done: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not done():  # noqa: ASYNC110 (nobody tells of it)
                await asyncio.sleep(0.01)

    def held(self) -> dict[tuple[str, bytes], bytes | None]:
        return {
            (topics.JOURNEY_STATES.name, entry.key): entry.value for entry in self.table.entries("states")
        }


def played(
    tmp_path, monkeypatch: pytest.MonkeyPatch, log: list[Consumed], play: Callable[[World], Any]
) -> None:
    """Play with a world whose table is in this folder."""
    kafka = Kafka(log)
    monkeypatch.setattr(follower, "AIOKafkaConsumer", kafka.consumer)
    monkeypatch.setattr(follower, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(ends, "partition_counts", kafka.counts)
    database = Database(tmp_path / "table.db", Deployment())
    try:
        asyncio.run(play(World(database, kafka)))
    finally:
        database.close()


def test_it_is_fresh_once_it_has_all_that_the_topics_had_and_reads_on_after_a_restart(
    tmp_path, monkeypatch
) -> None:
    async def first(world: World) -> None:
        assert world.follower.fresh_at is None
        async with world.following():
            await world.until(lambda: world.follower.fresh_at == world.now)
            assert world.held() == highest(LOG[:3])
            assert (world.follower.lag, world.follower.connected) == (0, True)

    async def second(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            assert world.held() == highest(LOG)
            assert sorted(world.kafka.read) == sorted(
                (one.topic, one.partition, one.offset) for one in LOG[3:]
            )
            assert "cleared" not in world.told

    played(tmp_path, monkeypatch, LOG[:3], first)
    played(tmp_path, monkeypatch, LOG, second)


def test_what_comes_later_is_told_once_it_is_in_and_the_table_stays_fresh(tmp_path, monkeypatch) -> None:
    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            world.kafka.log = LOG
            await world.until(lambda: f"{person('c')}@5" in world.told)
            world.now += 10
            await world.until(lambda: world.follower.fresh_at == world.now)

    played(tmp_path, monkeypatch, LOG[:2], play)


def test_a_table_that_may_have_missed_tombstones_is_built_anew(tmp_path, monkeypatch) -> None:
    async def first(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)

    async def second(world: World) -> None:
        world.now += AWAY_SECONDS + 1
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
        assert world.told[0] == "cleared"
        assert world.held() == highest([LOG[0]]), "Kafka has compacted the rest away, its tombstone with it"

    played(tmp_path, monkeypatch, LOG[:2], first)
    played(tmp_path, monkeypatch, [LOG[0], LOG[1]._replace(value=LOG[0].value, key=b"")], second)


def test_topics_that_were_made_anew_are_read_from_their_beginning(tmp_path, monkeypatch) -> None:
    async def first(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)

    async def second(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
        assert world.told == ["cleared", f"{person('z')}@1"]

    played(tmp_path, monkeypatch, LOG, first)
    played(tmp_path, monkeypatch, placed([state("z", 1)]), second)


def test_topics_that_are_made_anew_while_it_follows_them_are_read_from_their_beginning(
    tmp_path, monkeypatch
) -> None:
    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            world.kafka.log = placed([state("z", 1)])
            world.now += 5
            await world.until(lambda: world.told[-2:] == ["cleared", f"{person('z')}@1"])
            await world.until(lambda: world.follower.fresh_at == world.now)

    played(tmp_path, monkeypatch, LOG, play)


def test_a_broker_that_says_an_end_too_low_is_not_taken_for_one_with_other_topics(
    tmp_path, monkeypatch
) -> None:
    async def play(world: World) -> None:
        world.kafka.understated = 2
        async with world.following():
            await world.until(lambda: world.held() == highest(LOG))
            await world.until(lambda: world.follower.fresh_at)
        assert "cleared" not in world.told

    played(tmp_path, monkeypatch, LOG, play)
    played(tmp_path, monkeypatch, LOG, play)


def test_freshness_counts_from_when_the_ends_were_asked_for(tmp_path, monkeypatch) -> None:
    """What is published while the broker answers is not in the table, and a withdrawal of consent may be."""

    async def play(world: World) -> None:
        def slowly() -> None:
            world.now += 4

        world.kafka.asked = slowly
        before = world.now
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            assert world.follower.fresh_at == before
            await world.until(lambda: world.follower.fresh_at > before)
            assert world.follower.fresh_at <= world.now - 4

    played(tmp_path, monkeypatch, LOG, play)


def test_after_the_clock_was_set_back_a_time_that_was_known_says_nothing(tmp_path, monkeypatch) -> None:
    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            world.kafka.away = True
            world.now -= 3600
            await world.until(lambda: not world.follower.connected)
            assert world.follower.waits_for(30)
            world.kafka.away = False
            await world.until(lambda: not world.follower.waits_for(30))
            assert "cleared" not in world.told

    played(tmp_path, monkeypatch, LOG, play)


def test_what_aiokafka_cancels_of_its_own_is_an_outage(tmp_path, monkeypatch) -> None:
    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            world.kafka.fails = asyncio.CancelledError()
            await world.until(lambda: not world.follower.connected)
            world.kafka.fails, world.kafka.log = None, LOG
            await world.until(lambda: world.held() == highest(LOG))

    played(tmp_path, monkeypatch, LOG[:3], play)


def test_a_full_disk_ends_it_with_a_sentence_and_leaves_the_table_as_it_was(tmp_path, monkeypatch) -> None:
    async def play(world: World) -> None:
        writer = world.database.writer
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UnavailableError, match="make room"):
            async with asyncio.timeout(20):
                await world.follower.run()
        writer.execute("PRAGMA max_page_count = 1000000")
        positions = world.table.positions()
        assert len(world.held()) == sum(positions.values()) < 500
        world.table.apply(world.kafka.log)
        assert len(world.held()) == 500, "nothing is left open that a later batch would meet"

    played(tmp_path, monkeypatch, placed([state(f"p{number}", 1) for number in range(500)]), play)


def test_during_an_outage_it_keeps_what_it_has_and_goes_on_afterwards(tmp_path, monkeypatch) -> None:
    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
            world.kafka.away = True
            world.now += 5
            await world.until(lambda: not world.follower.connected)
            assert world.held() == highest(LOG[:3])
            world.kafka.away, world.kafka.log = False, LOG
            await world.until(lambda: world.follower.connected and world.follower.fresh_at == world.now)
            assert world.held() == highest(LOG)
            assert "cleared" not in world.told

    played(tmp_path, monkeypatch, LOG[:3], play)


def test_a_version_from_the_future_is_left_out_and_counted_and_hides_nothing(tmp_path, monkeypatch) -> None:
    log = placed([state("a", VERSION_SLACK + 9), state("a", 3)])

    async def play(world: World) -> None:
        async with world.following():
            await world.until(lambda: world.follower.fresh_at)
        assert world.follower.rejected == 1
        assert world.held() == highest(log[1:])

    played(tmp_path, monkeypatch, log, play)
