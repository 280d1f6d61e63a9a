from schemas import topics
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.keys import profile_key
from sinks.clickhouse.write.prepare import prepare
from tests.support.ids import person
from tests.support.kafka_records import Consumed, journey, resolved_bytes


def test_a_batch_becomes_one_insert_a_table_and_the_rejected_stay_apart() -> None:
    batch = [
        (topics.JOURNEY_INPUTS, Consumed(resolved_bytes("e1"))),
        (topics.JOURNEY_STATES, Consumed(JOURNEY_STATE.encode(journey("p1", 1)))),
        (topics.JOURNEY_STATES, Consumed(b"junk", offset=9)),
        (topics.JOURNEY_INPUTS, Consumed(b"left to the journeys agent", offset=10)),
        (topics.JOURNEY_INPUTS, Consumed(resolved_bytes("e2"))),
    ]

    inserts, rejected = prepare(batch)

    assert {(insert.table, insert.rows) for insert in inserts} == {
        ("raw_touchpoints", 2),
        ("raw_journey_states", 1),
    }
    assert inserts[0].columns["event_id"] == ["e1", "e2"]
    assert [one.record.offset for one in rejected] == [9]


def test_tombstones_go_into_an_insert_of_their_own_because_they_know_fewer_columns() -> None:
    batch = [
        (topics.JOURNEY_STATES, Consumed(JOURNEY_STATE.encode(journey("p1", 1)))),
        (
            topics.JOURNEY_STATES,
            Consumed(None, key=profile_key("default", person("p2")), headers=(("version", b"2"),)),
        ),
    ]

    inserts, _ = prepare(batch)

    assert [insert.table for insert in inserts] == ["raw_journey_states", "raw_journey_states"]
    assert inserts[1].columns["is_deleted"] == [1]


def test_every_batch_has_a_token_of_its_own_even_with_the_same_records() -> None:
    batch = [(topics.JOURNEY_INPUTS, Consumed(resolved_bytes("e1")))]

    (first,), _ = prepare(batch)
    (second,), _ = prepare(batch)

    assert first.token != second.token
