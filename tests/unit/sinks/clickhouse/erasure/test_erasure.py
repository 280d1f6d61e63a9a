"""What the loader leaves out once something is erased, and when it carries an erasure out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.record_types import ERASE
from schemas.errors import UnavailableError
from schemas.topics import WORKER_GROUP
from sinks.clickhouse.erasure.barrier import Position, Positions
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.erasure.queue import (
    AGAIN_SECONDS,
    LOOK_SECONDS,
    POLL_SECONDS,
    RETRY_SECONDS,
    TELL_SECONDS,
    ErasureQueue,
    requested,
)
from sinks.clickhouse.erasure.receipts import Erasure
from tests.support.kafka_records import Consumed, example
from tests.support.versions import as_version_2

REQUEST = Erasure("default", "cookie", "x", 5, "own", ("own", "p1"), 7, "r1")


def touchpoint(value: str, at: int, *others: str, tenant: str = "default") -> dict[str, Any]:
    identifiers = [("cookie", one) for one in (value, *others)]
    return {
        "tenant": tenant, "identifier_type": "cookie", "identifier_value": value, "occurred_at": at,
        "identifiers": identifiers,
    }  # fmt: skip


def passed(*_: Any) -> None:
    """A check that every record passes."""


def known() -> Erased:
    erased = Erased()
    erased.learn("default", "cookie", "x", 5, 7)
    return erased


def test_only_what_the_identifier_did_until_then_and_in_its_tenant_is_left_out() -> None:
    later, elsewhere, another = touchpoint("x", 6), touchpoint("x", 4, tenant="bank"), touchpoint("y", 4)

    assert known().left("raw_touchpoints", [touchpoint("x", 5), later, elsewhere, another]) == [
        later,
        elsewhere,
        another,
    ]


def test_it_is_taken_off_the_touchpoints_of_others() -> None:
    (row,) = known().left("raw_touchpoints", [touchpoint("y", 4, "x")])

    assert row["identifiers"] == [("cookie", "y")]
    assert known().left("raw_touchpoints", [touchpoint("y", 6, "x")]) == [touchpoint("y", 6, "x")]


def test_links_with_it_on_either_side_are_left_out() -> None:
    def link(left: str, right: str) -> dict[str, Any]:
        ends = {"left_type": "cookie", "left_value": left, "right_type": "cookie", "right_value": right}
        return {"tenant": "default", "occurred_at": 4, **ends}

    assert known().left("raw_identity_links", [link("x", "y"), link("a", "x"), link("a", "b")]) == [
        link("a", "b")
    ]


def test_older_assignments_are_left_out_and_a_deletion_once_nothing_is_left_for_it_to_hide() -> None:
    row = {
        "tenant": "default",
        "identifier_type": "cookie",
        "identifier_value": "x",
        "version": 6,
        "is_deleted": 0,
    }
    erasure, later = {**row, "version": 7, "is_deleted": 1}, {**row, "version": 8}
    rows = [row, erasure, later, {**later, "is_deleted": 1}]
    erased = known()

    assert erased.left("raw_identity_assignments", rows) == rows[1:]
    erased.settle("default", "cookie", "x")
    assert erased.left("raw_identity_assignments", rows) == rows[2:]


def test_an_older_erasure_takes_nothing_back() -> None:
    erased = known()
    erased.learn("default", "cookie", "x", 3, 2)

    assert erased.left("raw_touchpoints", [touchpoint("x", 5)]) == []


def test_of_the_records_of_a_request_the_first_profile_s_is_acted_on() -> None:
    erase = example("Erase")
    first, second = ({**erase, "profile_ids": ["p1", "p2"], "profile_id": one} for one in ("p1", "p2"))
    batch = [(topics.JOURNEY_INPUTS, Consumed(ERASE.encode(one))) for one in (first, second)]

    (found,) = requested(batch, passed)

    assert (found.value, found.profile_ids, found.request_id) == ("ck-8d1f0a", ("p1", "p2"), "forget-3f6d")


def test_an_erase_of_another_released_version_is_acted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    value = as_version_2("Erase", example("Erase"), monkeypatch)

    (found,) = requested([(topics.JOURNEY_INPUTS, Consumed(value))], passed)

    assert [found] == requested([(topics.JOURNEY_INPUTS, Consumed(ERASE.encode(example("Erase"))))], passed)


class Store:
    """An eraser that only notes what it is asked."""

    def __init__(self, unfinished: list[tuple[Erasure, bool]] | None = None) -> None:
        self.erased = Erased()
        self.unfinished = unfinished or []
        self.done: list[Erasure] = []
        self.told: list[str] = []
        self.looks: list[Erasure] = []
        self.files_are_there = False
        self.down = False

    def recall(self) -> list[tuple[Erasure, bool]]:
        return self.unfinished

    def accept(self, erasures: list[Erasure]) -> None:
        self.unfinished = self.unfinished + [(one, False) for one in erasures]

    def tell(self, _: Erasure, waits_for: str) -> None:
        self.told.append(waits_for)

    def carry_out(self, erasure: Erasure) -> None:
        if self.down:
            raise UnavailableError("ClickHouse does not answer")
        self.done.append(erasure)

    def look_again(self, erasure: Erasure) -> bool:
        self.looks.append(erasure)
        return not self.files_are_there


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Groups:
    """Where the consumer groups are: as many records behind in identity-links as `behind` says."""

    behind = 0
    down = False

    def __call__(self) -> Positions:
        if self.down:
            raise UnavailableError("Kafka does not answer")
        return {WORKER_GROUP: {("identity-links", 0): Position(1_000_000 - self.behind, 1_000_000)}}


def played(play: Callable[[ErasureQueue, Clock, Groups], Awaitable[None]], store: Store) -> None:
    clock, groups = Clock(), Groups()
    queue = ErasureQueue(store, groups, clock)  # type: ignore[arg-type]

    async def run() -> None:
        assert await queue.accept([], asyncio.Event())
        await play(queue, clock, groups)

    asyncio.run(run())


async def work(queue: ErasureQueue, clock: Clock, seconds: float = POLL_SECONDS) -> None:
    clock.now += seconds
    queue.work()
    await queue.stop()


async def asked(queue: ErasureQueue) -> None:
    erase = {**example("Erase"), "profile_ids": [example("Erase")["profile_id"]]}
    assert await queue.accept(
        requested([(topics.JOURNEY_INPUTS, Consumed(ERASE.encode(erase)))], passed), asyncio.Event()
    )


def test_an_erasure_waits_for_the_workers_and_says_so_and_a_second_look_follows_it() -> None:
    store = Store()

    async def play(queue: ErasureQueue, clock: Clock, groups: Groups) -> None:
        groups.behind = 150_000
        await asked(queue)
        for _ in range(3):
            await work(queue, clock)  # POLL_SECONDS later
        assert (store.done, store.told) == ([], ["identity: 150,000 records"])
        await work(queue, clock, TELL_SECONDS)
        assert len(store.told) == 2
        groups.behind = 0
        await work(queue, clock)
        assert len(store.done) == 1
        await work(queue, clock, AGAIN_SECONDS / 2)
        assert store.looks == []
        await work(queue, clock, AGAIN_SECONDS)
        assert (len(store.looks), len(store.done)) == (1, 1)

    played(play, store)


def test_it_looks_until_the_files_of_deleted_rows_are_gone() -> None:
    store = Store()
    store.files_are_there = True

    async def play(queue: ErasureQueue, clock: Clock, _: Groups) -> None:
        await asked(queue)
        await work(queue, clock)
        await work(queue, clock, AGAIN_SECONDS)
        await work(queue, clock, LOOK_SECONDS)
        store.files_are_there = False
        await work(queue, clock, LOOK_SECONDS)
        await work(queue, clock, LOOK_SECONDS)

    played(play, store)
    assert len(store.looks) == 3


def test_what_a_loader_left_unfinished_the_next_one_carries_out() -> None:
    seen = replace(REQUEST, request_id="r2")
    store = Store([(REQUEST, False), (seen, True)])

    async def play(queue: ErasureQueue, clock: Clock, _: Groups) -> None:
        await work(queue, clock)
        await work(queue, clock, AGAIN_SECONDS)

    played(play, store)
    assert store.done == [REQUEST]
    assert {one.request_id for one in store.looks} == {"r1", "r2"}


def test_while_clickhouse_is_down_an_erasure_stays_due() -> None:
    store = Store([(REQUEST, False), (replace(REQUEST, value="z"), False)])

    async def play(queue: ErasureQueue, clock: Clock, _: Groups) -> None:
        store.down = True
        await work(queue, clock)
        store.down = False
        await work(queue, clock, RETRY_SECONDS)

    played(play, store)
    assert [one.value for one in store.done] == ["x", "z"]


def test_while_kafka_is_down_an_erasure_waits_and_loading_goes_on() -> None:
    store = Store()

    async def play(queue: ErasureQueue, clock: Clock, groups: Groups) -> None:
        await asked(queue)
        groups.down = True
        await work(queue, clock)
        assert store.done == []
        groups.down = False
        await work(queue, clock, RETRY_SECONDS)

    played(play, store)
    assert len(store.done) == 1
