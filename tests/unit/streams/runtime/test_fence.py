"""A worker announces nothing once another one has claimed its partition: the changelog's order decides."""

import asyncio
from typing import Any

import pytest

from schemas.errors import UnavailableError
from streams.journeys.changelog_keys import claim_key, is_claim
from streams.runtime.fence import Fence
from streams.runtime.publisher import Outbox
from tests.support.agents import Record

Change = tuple[bytes, bytes | None]


class Log:
    """A changelog of one partition."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, key: bytes | None, value: bytes | None) -> int:
        offset = self.records[-1].offset + 1 if self.records else 0
        self.records.append(Record(offset=offset, key=key, value=value))
        return offset


class Worker:
    """What a fence asks of a worker's application and of its table."""

    topic_name = "changelog"
    rebalancing = in_recovery = False

    def __init__(self, log: Log) -> None:
        self.log = log
        self.publisher = self.log_reader = self
        self.state: Any = object()
        self.held = True
        self.group_says_so = False  #: whether the group tells in time that the partition has gone
        self.answers = True
        self.known = log.records[-1].offset if log.records else -1
        self.corrected: list[bytes] = []
        app: Any = self
        self.fence: Fence[Any] = Fence(app, app, claim_key, is_claim, self._correct)

    def _correct(self, _: Any, key: bytes, __: bytes | None) -> list[Change]:
        self.corrected.append(key)
        return [(key, b"corrected")]

    def outbox(self) -> Outbox:
        return Outbox({})

    async def publish(self, outbox: Outbox) -> dict[Any, tuple[int, int]]:
        ends = {}
        for place, records in outbox.records.items():
            offsets = [self.log.append(key, value) for key, value, _ in records]
            ends[place] = offsets[0], offsets[-1]
        return ends

    async def read(self, _: str, __: int, start: int) -> list[Any] | None:
        return [one for one in self.log.records if one.offset >= start] if self.answers else None

    async def wait_until(self, condition: Any, _: float) -> None:
        if self.in_recovery:
            self.in_recovery, self.known = False, self.log.records[-1].offset
        else:
            self.held = self.held and not self.group_says_so
        condition()

    def holds(self, _: int, state: Any) -> bool:
        return self.held and state is self.state

    def last_known(self, _: int) -> int:
        return self.known

    def record_foreign_writes(self, _: int, __: Any, last: int) -> None:
        self.known = last

    def claim(self) -> list[Change]:
        return asyncio.run(self.fence.claim(0, self.state))

    def write_ahead(self) -> bool:
        offset = self.log.append(b"t/p/i/1", b"ahead")
        return asyncio.run(self.fence.may_announce(0, self.state, offset, offset))


def test_an_owner_claims_once_and_announces_as_long_as_nobody_else_writes() -> None:
    log = Log()
    worker = Worker(log)
    assert worker.claim() == worker.claim() == []
    assert [is_claim(one.key) for one in log.records] == [True]
    assert worker.write_ahead()
    offset = log.append(b"t/p/e/x", b"its own entry")
    worker.fence.note(0, offset, offset)
    worker.answers = False  # nothing has to be read
    assert worker.write_ahead()


def test_a_worker_claims_a_partition_once_it_is_restored() -> None:
    log = Log()
    former = Worker(log)
    former.claim()
    owner = Worker(log)
    owner.known, owner.in_recovery = -1, True  # woken from a stop, an agent goes on before the restoring ends
    assert owner.claim() == []
    assert owner.write_ahead()


def test_a_worker_that_lost_a_partition_while_it_was_restored_claims_nothing() -> None:
    log = Log()
    former = Worker(log)
    former.claim()
    worker = Worker(log)
    worker.known, worker.in_recovery, worker.held = -1, True, False
    assert worker.claim() == []
    assert len(log.records) == 1


def test_a_worker_announces_nothing_once_another_one_has_claimed_its_partition() -> None:
    log = Log()
    zombie = Worker(log)
    zombie.claim()
    owner = Worker(log)
    owner.claim()
    zombie.group_says_so = True
    assert not zombie.write_ahead()
    assert owner.write_ahead()  # what the zombie wrote makes it no owner


def test_what_was_written_ahead_before_the_claim_is_known_to_the_claimant() -> None:
    log = Log()
    zombie = Worker(log)
    zombie.claim()
    owner = Worker(log)
    assert zombie.write_ahead()  # after the owner's recovery, before its claim
    assert owner.claim() == [(b"t/p/i/1", b"corrected")]
    assert owner.corrected == [b"t/p/i/1"]
    assert owner.known == log.records[-1].offset


def test_records_of_others_that_claim_nothing_stop_no_announcement_and_are_read_once() -> None:
    log = Log()
    worker = Worker(log)
    worker.claim()
    log.append(b"t/p/e/x", b"late")
    assert worker.write_ahead()
    worker.answers = False
    assert worker.write_ahead()


def test_a_claim_that_compaction_may_have_removed_counts() -> None:
    log = Log()
    zombie = Worker(log)
    zombie.claim()
    owner = Worker(log)
    owner.claim()
    del log.records[-1]
    log.append(b"t/p/e/x", b"the owner's")
    log.records[-1].offset = 5
    zombie.group_says_so = True
    assert not zombie.write_ahead()


def test_a_worker_that_was_stopped_before_its_claim_corrects_nothing_of_the_owner() -> None:
    log = Log()
    zombie, owner = Worker(log), Worker(log)
    owner.claim()
    zombie.group_says_so = True
    assert zombie.claim() == []
    assert zombie.corrected == []


@pytest.mark.parametrize("at", ["claim", "announcement"])
def test_a_worker_starts_anew_if_the_group_gives_it_what_another_one_claimed(at: str) -> None:
    log = Log()
    one = Worker(log)
    if at == "announcement":
        one.claim()
    Worker(log).claim()
    with pytest.raises(UnavailableError, match="another worker claimed partition 0 of changelog"):
        one.claim() if at == "claim" else one.write_ahead()


def test_a_worker_stops_if_the_broker_does_not_say_who_else_has_written() -> None:
    log = Log()
    worker = Worker(log)
    worker.claim()
    log.append(b"t/p/e/x", b"late")
    worker.answers = False
    with pytest.raises(UnavailableError, match="check that the broker is healthy"):
        worker.write_ahead()


def test_a_state_that_a_rebalance_brought_anew_is_claimed_anew() -> None:
    log = Log()
    worker = Worker(log)
    worker.claim()
    worker.state = object()
    worker.claim()
    assert [is_claim(one.key) for one in log.records] == [True, True]
    assert log.records[0].key != log.records[1].key


@pytest.mark.parametrize("key", [None, b"", b"t/p/e/c", b"c/c/e/x", b"t//c/x"])
def test_no_other_record_is_a_claim(key: bytes | None) -> None:
    assert not is_claim(key)
