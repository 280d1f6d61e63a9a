"""What the loader leaves out once something is erased, and when it carries an erasure out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.record_types import ERASE
from schemas.errors import UnavailableError
from sinks.clickhouse.erasure.erasure import Erased, Erasure
from sinks.clickhouse.erasure.queue import AGAIN_SECONDS, SETTLE_SECONDS, ErasureQueue, requested
from tests.support.kafka_records import Consumed, example
from tests.support.versions import as_version_2

REQUEST = Erasure("default", "cookie", "x", 5, "own", ("own", "p1"), 7, "r1")


def touchpoint(value: str, at: int, *others: str, tenant: str = "default") -> dict[str, Any]:
    identifiers = [("cookie", one) for one in (value, *others)]
    return {
        "tenant": tenant, "identifier_type": "cookie", "identifier_value": value, "occurred_at": at,
        "identifiers": identifiers,
    }  # fmt: skip


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


def test_older_assignments_are_left_out_but_never_a_deletion() -> None:
    row = {
        "tenant": "default",
        "identifier_type": "cookie",
        "identifier_value": "x",
        "version": 6,
        "is_deleted": 0,
    }
    rows = [row, {**row, "is_deleted": 1}, {**row, "version": 8}]

    assert known().left("raw_identity_assignments", rows) == rows[1:]


def test_an_older_erasure_takes_nothing_back() -> None:
    erased = known()
    erased.learn("default", "cookie", "x", 3, 2)

    assert erased.left("raw_touchpoints", [touchpoint("x", 5)]) == []


def test_of_the_records_of_a_request_the_first_profile_s_is_acted_on() -> None:
    erase = example("Erase")
    first, second = ({**erase, "profile_ids": ["p1", "p2"], "profile_id": one} for one in ("p1", "p2"))
    batch = [(topics.JOURNEY_INPUTS, Consumed(ERASE.encode(one))) for one in (first, second)]

    (found,) = requested(batch)

    assert (found.value, found.profile_ids, found.request_id) == ("ck-8d1f0a", ("p1", "p2"), "forget-3f6d")


def test_an_erase_of_another_released_version_is_acted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    value = as_version_2("Erase", example("Erase"), monkeypatch)

    (found,) = requested([(topics.JOURNEY_INPUTS, Consumed(value))])

    assert [found] == requested([(topics.JOURNEY_INPUTS, Consumed(ERASE.encode(example("Erase"))))])


class Store:
    """An eraser that only notes what it is asked."""

    def __init__(self, unfinished: list[Erasure] | None = None) -> None:
        self.erased = Erased()
        self.unfinished = unfinished or []
        self.done: list[Erasure] = []
        self.down = False

    def recall(self) -> list[Erasure]:
        return self.unfinished

    def accept(self, erasures: list[Erasure]) -> None:
        self.unfinished = self.unfinished + erasures

    def carry_out(self, erasure: Erasure) -> None:
        if self.down:
            raise UnavailableError("ClickHouse does not answer")
        self.done.append(erasure)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def played(play: Callable[[ErasureQueue, Clock], Awaitable[None]], store: Store) -> None:
    clock = Clock()
    queue = ErasureQueue(store, clock)  # type: ignore[arg-type]

    async def run() -> None:
        assert await queue.accept([], asyncio.Event())
        await play(queue, clock)

    asyncio.run(run())


async def work(queue: ErasureQueue, clock: Clock, seconds: float) -> None:
    clock.now += seconds
    queue.work()
    await queue.stop()


def test_an_erasure_is_carried_out_when_the_workers_have_answered_and_once_more_for_latecomers() -> None:
    store = Store()

    async def play(queue: ErasureQueue, clock: Clock) -> None:
        erase = {**example("Erase"), "profile_ids": [example("Erase")["profile_id"]]}
        record = topics.JOURNEY_INPUTS, Consumed(ERASE.encode(erase))
        assert await queue.accept([record], asyncio.Event())
        await work(queue, clock, SETTLE_SECONDS / 2)
        assert store.done == []
        await work(queue, clock, SETTLE_SECONDS)
        assert len(store.done) == 1
        await work(queue, clock, AGAIN_SECONDS + SETTLE_SECONDS)
        assert len(store.done) == 2

    played(play, store)


def test_what_a_loader_left_unfinished_the_next_one_carries_out() -> None:
    store = Store([REQUEST])

    async def play(queue: ErasureQueue, clock: Clock) -> None:
        await work(queue, clock, SETTLE_SECONDS)

    played(play, store)
    assert store.done == [REQUEST]


def test_while_clickhouse_is_down_an_erasure_stays_due() -> None:
    store = Store([REQUEST, replace(REQUEST, value="z")])

    async def play(queue: ErasureQueue, clock: Clock) -> None:
        store.down = True
        await work(queue, clock, SETTLE_SECONDS)
        store.down = False
        await work(queue, clock, SETTLE_SECONDS)

    played(play, store)
    assert [one.value for one in store.done] == ["x", "z"]
