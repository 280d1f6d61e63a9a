"""Avro and rows are one encoding: ClickHouse makes the same rows of both. And the loader that sends Avro."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.sandbox import Broker, ClickHouseServer
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.encoding.codec import HEADER_BYTES, encode
from schemas.encoding.record_types import JOURNEY_STATE, RESOLVED_TOUCHPOINT
from schemas.encoding.registry import current
from schemas.errors import ContractError, Reason
from schemas.records import Record
from schemas.topics import Topic
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.write.encoding.tables import TABLES
from sinks.clickhouse.write.http_writer import HttpWriter, RefusedError
from sinks.clickhouse.write.inserts import AvroInsert
from sinks.clickhouse.write.prepare import avro_inserts, prepare
from sinks.clickhouse.write.reading import read
from tests.integration.parts import deployment
from tests.integration.store import Store, migrated
from tests.integration.test_loader import assert_each_once, send, touchpoints, wait_loaded
from tests.integration.test_tables import fitting
from tests.support.ids import ODD_IDS, person
from tests.support.kafka_records import Consumed, example, journey, resolved, resolved_bytes
from tests.support.touchpoints import START, touchpoint

pytestmark = pytest.mark.sandbox

TOPIC_OF = {"ResolvedTouchpoint": topics.JOURNEY_INPUTS, "JourneyState": topics.JOURNEY_STATES}
EXTREMES = (-(2**63), -2_208_988_800_001, -1, 0, 10_413_792_000_000, 2**63 - 1)


class Both(Store):
    """A database that the same records enter by either way."""

    def __init__(self, clickhouse: ClickHouseServer) -> None:
        where = migrated(clickhouse)
        super().__init__(where)
        self.avro = HttpWriter(where)

    def assert_alike(self, name: str, values: list[bytes]) -> None:
        """Load them by one way and by the other, and compare every column of every row."""
        records = consumed(TOPIC_OF[name], values)
        inserts, rejected = prepare(records)
        assert not rejected
        for insert in inserts:
            self.rows.write(insert)
        rows = self.taken(name)
        self.write(direct(records))
        assert self.taken(name) == rows
        assert rows

    def write(self, insert: AvroInsert) -> None:
        self.avro.write(insert)

    def taken(self, name: str) -> list[str]:
        """The rows of a record's table as text (NaN is NaN then), and none of them is left."""
        table = TABLES[name].name
        rows = self.query(f"SELECT * EXCEPT loaded_at FROM {table} ORDER BY source_offset")
        self.query(f"TRUNCATE TABLE {table}")
        return [repr(row) for row in rows]

    def close(self) -> None:
        super().close()
        self.avro.close()


@pytest.fixture
def both(clickhouse: ClickHouseServer) -> Iterator[Both]:
    store = Both(clickhouse)
    yield store
    store.close()


def consumed(topic: Topic, values: list[bytes]) -> list[tuple[Topic, Consumed]]:
    return [(topic, Consumed(value, key=None, offset=2**40 + n)) for n, value in enumerate(values)]


def direct(records: list[tuple[Topic, Consumed]]) -> AvroInsert:
    (insert,), rest = avro_inserts(records, None, 1)
    assert not rest
    return insert


@pytest.mark.parametrize("name", TOPIC_OF)
def test_the_committed_example_becomes_the_same_row(both: Both, name: str) -> None:
    both.assert_alike(name, [encode(name, example(name))])


@pytest.mark.parametrize("name", TOPIC_OF)
def test_whatever_the_codec_accepts_becomes_the_same_rows(both: Both, name: str) -> None:
    @settings(max_examples=10, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(fitting(current()[name], {}), min_size=1, max_size=8))
    def alike(records: list[Any]) -> None:
        both.assert_alike(name, [encode(name, record) for record in records])

    alike()


def test_extreme_times_and_versions_become_the_same_rows(both: Both) -> None:
    inputs = [
        RESOLVED_TOUCHPOINT.encode(resolved(f"e{at}", version=at) | {"touchpoint": touchpoint(f"e{at}") | {
            "occurred_at": at, "received_at": -at - 1, "amount_minor": at}})
        for at in EXTREMES
    ]  # fmt: skip
    both.assert_alike("ResolvedTouchpoint", inputs)
    both.assert_alike("JourneyState", [JOURNEY_STATE.encode(at_times(at)) for at in EXTREMES])


def at_times(at: int) -> Record:
    """A state all of whose times and its version are extreme."""

    def moved(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {
                key: moved(inner, "at" if name in ("stages", "components") else key)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [moved(inner) for inner in value]
        timely = name.endswith(("at", "_of", "_seen", "_since")) and isinstance(value, int)
        return at if timely and not isinstance(value, bool) else value

    return {**moved(example("JourneyState")), "profile_id": person(f"p{at}"), "version": at}


def test_a_simulated_population_becomes_the_same_rows(both: Both) -> None:
    events = list(islice(simulate(Population(people=60, events=1_500, seed=7)), 1_500))
    values = [
        RESOLVED_TOUCHPOINT.encode({
            "identifier": event["identifiers"][0], "profile_id": person(f"p{number % 60}"), "version": number - 1,
            "touchpoint": event,
        })
        for number, event in enumerate(events)
    ]  # fmt: skip
    both.assert_alike("ResolvedTouchpoint", values)


@pytest.mark.parametrize("name", TOPIC_OF)
def test_what_the_codec_refuses_is_refused_and_what_it_takes_is_the_same(both: Both, name: str) -> None:
    """Bytes changed at random: one of a file's records is another than it was, or none at all."""
    dice = random.Random(11)
    whole = encode(name, example(name))
    accepted = refused = 0
    for _ in range(60):
        value = bytearray(whole)
        at = dice.randrange(HEADER_BYTES, len(value))
        value[at : at + dice.choice((0, 1, 1, 1, 3))] = dice.randbytes(dice.choice((0, 1, 1, 1, 2)))
        records = consumed(TOPIC_OF[name], [whole, bytes(value), whole])
        try:
            read(*records[1])
        except ContractError:
            refused += 1
            with pytest.raises(RefusedError):
                both.write(direct(records))
        else:
            accepted += 1
            both.assert_alike(name, [bytes(value)])
    assert accepted > 4
    assert refused > 4
    assert both.taken(name) == []


@pytest.mark.parametrize("name", TOPIC_OF)
def test_a_profile_that_is_no_uuid_is_refused_by_either_way(both: Both, name: str) -> None:
    for odd in ODD_IDS:
        record = {**example(name), "profile_id": odd}
        records = consumed(TOPIC_OF[name], [encode(name, record)])
        with pytest.raises(RefusedError, match="not a UUID"):
            both.write(direct(records))
        with pytest.raises(ContractError, match="no UUID") as caught:
            read(*records[0])
        assert caught.value.reason is Reason.INVALID
    assert both.taken(name) == []


def test_a_length_that_nobody_has_memory_for_is_refused_and_the_server_goes_on(both: Both) -> None:
    head = RESOLVED_TOUCHPOINT.header
    for length in (b"\xfe\xff\xff\xff\x0f", b"\xfe" + b"\xff" * 8 + b"\x01", b"\xff" * 9 + b"\x01"):
        with pytest.raises(RefusedError):
            both.write(
                direct(consumed(topics.JOURNEY_INPUTS, [resolved_bytes("e1"), head + length + b"abc"]))
            )
    both.write(direct(consumed(topics.JOURNEY_INPUTS, [resolved_bytes("e1")])))
    assert len(both.taken("ResolvedTouchpoint")) == 1


def test_a_large_batch_is_one_block_and_writing_it_again_changes_nothing(both: Both) -> None:
    padding = "x" * 3_000
    values = [JOURNEY_STATE.encode(journey(f"p{n}", 1, account_id=padding)) for n in range(20_000)]
    insert = direct(consumed(topics.JOURNEY_STATES, values))

    both.write(insert)
    both.write(insert)

    parts = (
        "SELECT rows FROM system.parts"
        " WHERE database = currentDatabase() AND table = 'raw_journey_states' AND active"
    )
    assert both.query(parts) == [(20_000,)]
    both.write(direct(consumed(topics.JOURNEY_STATES, values[:10])))
    assert both.query("SELECT count() FROM raw_journey_states") == [(20_010,)]


def test_nothing_of_what_was_erased_is_written_by_either_way(both: Both) -> None:
    erased = Erased()
    erased.learn("default", "cookie", "gone", START, 1)
    values = [
        resolved_bytes("kept", ids=[("cookie", "other")]),
        resolved_bytes("of-gone", ids=[("cookie", "gone")]),
        resolved_bytes("with-gone", ids=[("cookie", "other"), ("cookie", "gone")]),
        resolved_bytes("came-back", ids=[("cookie", "gone")], minute=1),
    ]
    inserts, rest = avro_inserts(consumed(topics.JOURNEY_INPUTS, values), erased, 1)

    assert [len(insert.records) for insert in inserts] == [1]
    for insert in inserts:
        both.write(insert)
    for one in prepare(rest, erased)[0]:
        both.rows.write(one)
    rows = both.query("SELECT event_id, identifiers FROM raw_touchpoints ORDER BY event_id")
    assert rows == [
        ("came-back", [("cookie", "gone")]),
        ("kept", [("cookie", "other")]),
        ("with-gone", [("cookie", "other")]),
    ]


def test_of_a_bad_record_among_good_ones_the_agent_writes_the_dead_letter_and_the_good_ones_are_loaded(
    broker: Broker, clickhouse: ClickHouseServer
) -> None:
    with deployment(broker, clickhouse, workers=0, loader=False) as live:
        good, bad = touchpoints(1_000), touchpoints(1)[0][:-1] + b"\x7f"
        states = [JOURNEY_STATE.encode(journey(f"p{n}", 1)) for n in range(50)]
        send(live, topics.JOURNEY_INPUTS, [*good[:700], bad, *good[700:]])
        send(live, topics.JOURNEY_STATES, states)
        live.start_loader()

        wait_loaded(live)
        assert_each_once(live, 1_000)
        assert live.query("SELECT count() FROM journeys") == [(50,)]
        assert live.query("SELECT count() FROM dead_letters") == [(0,)]
