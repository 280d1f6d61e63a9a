"""Agents leave no cycles: what a fetch held is freed once it is committed, without the collector.

The collector hardly ever runs (streams/runtime/garbage.py). A cycle that holds a fetch would keep a flood in memory.
"""

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.codec import decode
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key, partition_of
from streams.runtime.publisher import OutgoingRecord
from streams.runtime.transaction import FetchTransaction
from streams.stitch.stitching import StitchState
from tests.support.agents import Place, Record, worker_app
from tests.support.touchpoints import START, touchpoint
from tests.support.transactions import transaction_over
from tests.support.turns import TurnsWorker

PARTITIONS = 2


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def living(kind: type) -> int:
    return sum(type(one) is kind for one in gc.get_objects())


def visits() -> dict[Place, list[OutgoingRecord]]:
    """Visits, log-ins that merge, and an erasure, by partition."""
    found: dict[Place, list[OutgoingRecord]] = {}
    for number in range(60):
        cookie, customer = ("cookie", f"c{number // 3}"), ("customer_id", f"k{number // 6}")
        ids = [cookie] if number % 3 else [customer, cookie]
        event = touchpoint(
            f"e{number}", occurred_at=START + number, ids=ids, type="add_to_cart", account_id=f"a{number % 4}"
        )
        key = identifier_key("default", event["identifiers"][0])
        place = topics.TOUCHPOINTS.name, partition_of(key, PARTITIONS)
        found.setdefault(place, []).append((key, TOUCHPOINT.encode(event), None))
    return found


def test_what_all_agents_worked_on_is_freed() -> None:
    worker = TurnsWorker(PARTITIONS, clock=lambda: START / 1000 + 3600)
    for place, records in visits().items():
        for record in records:
            worker.feed({place: [record]})
    assert worker.published[topics.JOURNEY_STATES.name] > 20
    assert worker.published[topics.PROFILE_CHANGES.name] > 5
    assert worker.published[topics.ACCOUNT_STATES.name] > 2
    assert living(FetchTransaction) <= len(worker.agents)  # each has its last one in hand


class Broker:
    """Takes everything."""

    async def publish(self, _: Any) -> dict[Any, Any]:
        return {}


@pytest.mark.parametrize("value", [b"x", TOUCHPOINT.encode(touchpoint())[:-1]])
def test_what_became_a_dead_letter_is_freed(value: bytes) -> None:
    async def reject() -> None:
        async with transaction_over(worker_app(Broker()), StitchState()) as fetch:
            record = Record(topics.TOUCHPOINTS.name, value=value, key=b"k")
            with fetch.dead_letter(record):
                decode(record.value)
            assert fetch.outputs.records

    before = living(FetchTransaction), living(Record)
    for _ in range(20):
        asyncio.run(reject())
    assert (living(FetchTransaction), living(Record)) == before
