"""Of the copies of an event ClickHouse shows the one that a replay counts, whatever was merged, split or erased.

The agents' code decides as in tests/protocols/test_erasure_protocol.py, each drawn history as a tenant of its own;
what it published enters the real engine by way of the loader's code, half as rows and half as Avro.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.encoding.codec import decode, encode
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.records import Touchpoint
from schemas.topics import Topic
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.receipts import Erasure
from sinks.clickhouse.write.prepare import avro_inserts, prepare
from streams.replay import Owned, Replay
from tests.integration.test_direct import Both
from tests.protocols.test_erasure_protocol import World, request, run_events
from tests.support.copies import EXAMPLES, drawn_events, events_of
from tests.support.kafka_records import Consumed, resolved_bytes
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

#: Histories that are loaded at once, and drawn minutes are so long that sessions end.
BATCH = 100
SCALE = 10
GAP = 30 * 60_000

history = st.tuples(drawn_events, st.lists(request, max_size=2), st.integers(0, 2**32))


@pytest.fixture(scope="module")
def both(clickhouse: ClickHouseServer) -> Iterator[Both]:
    store = Both(clickhouse)
    yield store
    store.close()


def published(tenant: str, world: World) -> tuple[list[tuple[Topic, Consumed]], list[Erasure]]:
    """Everything that a world published, as that of a tenant: records for the loader, and erasures."""
    records: list[tuple[Topic, Consumed]] = []
    erasures = []
    for value in world.stitched:
        name, message = decode(value)
        if name == "ResolvedTouchpoint":
            message["touchpoint"]["tenant"] = tenant
            records.append((topics.JOURNEY_INPUTS, Consumed(encode(name, message))))
        elif name == "Erase":
            message["assignment"]["tenant"] = tenant
            erasures.append(Erasure.of(message))
    for record in world.published:
        key = record.key.replace(b"default", tenant.encode(), 1)
        value = record.value
        if value is not None:
            value = IDENTITY_ASSIGNMENT.encode(decode(value)[1] | {"tenant": tenant})
        records.append((topics.IDENTITY_ASSIGNMENTS, Consumed(value, key=key, headers=record.headers or ())))
    return records, [one for one in erasures if one is not None]


def load(store: Both, worlds: list[World], random: Random) -> None:
    """Everything that the worlds published, each under its number as its tenant."""
    records: list[tuple[Topic, Consumed]] = []
    erasures: list[Erasure] = []
    for number, world in enumerate(worlds):
        mine, asked = published(f"t{number}", world)
        records += mine
        erasures += asked
    random.shuffle(records)
    eraser = Eraser(store.where)
    eraser.accept(erasures)
    numbered = [(topic, record._replace(offset=offset)) for offset, (topic, record) in enumerate(records)]
    half = len(numbered) // 2
    chosen, rest = avro_inserts(numbered[:half], None, 1)
    for direct in chosen:
        store.write(direct)
    inserts, rejected = prepare([*rest, *numbered[half:]], eraser.erased if random.random() < 0.5 else None)
    assert not rejected
    for insert in inserts:
        store.rows.write(insert)
    store.reconcile()


def empty(store: Both) -> None:
    for table in (
        "raw_touchpoints", "raw_touchpoint_verdicts", "raw_identity_assignments", "raw_identity_assignment_history",
        "raw_erasures", "raw_profiles", "raw_profile_identifiers", "raw_identifier_profiles",
        "raw_reconciliations", "raw_reconciliation_notes",
    ):  # fmt: skip
        store.query(f"TRUNCATE TABLE {table}")


def named(tenant: str, owned: Owned) -> tuple[Any, ...]:
    one = owned.touchpoint
    return (
        tenant,
        owned.profile_id,
        one["source"],
        one["event_id"],
        one["occurred_at"],
        one["received_at"],
        one["amount_minor"],
    )


def apart(events: list[Touchpoint]) -> list[Touchpoint]:
    """The events, received a millisecond apart: a checksum covers the tenant, which a history gets afterwards."""
    return [{**event, "received_at": event["received_at"] + n} for n, event in enumerate(events)]


def sessions(replay: Replay) -> int:
    """How many sessions there are by the definition of the view: gaps of at most half an hour."""
    times: dict[str, list[int]] = defaultdict(list)
    for owned in replay.owned():
        times[owned.profile_id].append(owned.touchpoint["occurred_at"])
    ordered = [sorted(found) for found in times.values()]
    return sum(1 + sum(b - a > GAP for a, b in pairwise(found)) for found in ordered)


def test_a_copy_that_does_not_count_is_shown_with_the_reason(both: Both) -> None:
    empty(both)
    cents = {"type": "order_placed", "currency": "EUR"}
    both.load(
        topics.JOURNEY_INPUTS,
        resolved_bytes("e1", amount_minor=1000, received_at=START, **cents),
        resolved_bytes("e1", minute=0.001, amount_minor=900, received_at=START + 60, **cents),
        resolved_bytes("e1", minute=0.002, amount_minor=800, received_at=START, **cents),
        resolved_bytes("e1", source="crm", amount_minor=77, **cents),
    )
    assert both.query("SELECT source, amount_minor FROM touchpoints_current ORDER BY source") == [
        ("crm", 77),
        ("test", 1000),
    ]
    assert both.query(
        "SELECT amount_minor, reason, counted_amount_minor FROM touchpoint_copies ORDER BY amount_minor"
    ) == [
        (800, "received in the same millisecond, occurred later", 1000),
        (900, "received later", 1000),
    ]


NAMED = (
    "SELECT tenant, profile_id, source, event_id, toUnixTimestamp64Milli(occurred_at),"
    " toUnixTimestamp64Milli(received_at), amount_minor FROM {}"
)


@settings(
    max_examples=max(EXAMPLES // BATCH, 1),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # a batch shrinks too slowly; the tenant that differs is small
)
@given(st.lists(history, min_size=BATCH, max_size=BATCH), st.randoms(use_true_random=False))
def test_clickhouse_counts_what_a_replay_counts(both: Both, histories: list[Any], random: Random) -> None:
    empty(both)
    worlds, replays = [], []
    for drawn, asked, seed in histories:
        requests = [(kind, ids, minute * SCALE) for kind, ids, minute in asked]
        world, replay = run_events(apart(events_of(drawn, SCALE)), requests, seed)
        worlds.append(world)
        replays.append(replay)

    load(both, worlds, Random(random.randrange(2**32)))

    counted = [named(f"t{n}", owned) for n, replay in enumerate(replays) for owned in replay.owned()]
    others = [named(f"t{n}", owned) for n, replay in enumerate(replays) for owned in replay.copies()]
    assert Counter(both.query(NAMED.format("touchpoints_current"))) == Counter(counted)
    assert Counter(both.query(NAMED.format("touchpoint_copies"))) == Counter(others)
    states = [(f"t{n}", state) for n, replay in enumerate(replays) for state in replay.states()]
    orders = both.query(
        "SELECT tenant, profile_id, count(), sum(amount_minor) FROM touchpoints_current GROUP BY ALL"
    )
    assert sorted(orders) == sorted(
        (
            tenant,
            state["profile_id"],
            state["orders"],
            int(state["revenue"].get("EUR", 0)),
        )
        for tenant, state in states
    )
    shown = dict(both.query("SELECT tenant, count() FROM sessions GROUP BY tenant"))
    expected = {f"t{n}": sessions(replay) for n, replay in enumerate(replays)}
    assert shown == {tenant: count for tenant, count in expected.items() if count}
