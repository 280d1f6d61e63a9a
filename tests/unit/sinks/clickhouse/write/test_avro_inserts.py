import random

import pytest

from schemas import topics
from schemas.encoding.codec import UNWALKED_BYTES, identifiers_of
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE, MOVE, RESOLVED_TOUCHPOINT
from schemas.errors import ContractError
from schemas.topics import Topic
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.write.inserts import AvroInsert
from sinks.clickhouse.write.loader import AVRO_FROM
from sinks.clickhouse.write.prepare import avro_inserts, prepare
from tests.support.kafka_records import Consumed, journey, resolved_bytes, signal

Records = list[tuple[Topic, Consumed]]


def touchpoints(count: int) -> Records:
    return [(topics.JOURNEY_INPUTS, Consumed(resolved_bytes(f"e{n}"), offset=n)) for n in range(count)]


def test_touchpoints_and_states_go_directly_and_everything_else_does_not() -> None:
    states: Records = [
        (
            topics.JOURNEY_STATES,
            Consumed(JOURNEY_STATE.encode(journey(f"p{n}", 1)), key=f"default/p{n}".encode()),
        )
        for n in range(2)
    ]
    others: Records = [
        (topics.JOURNEY_STATES, Consumed(None, key=b"default/p9")),
        (topics.JOURNEY_INPUTS, Consumed(MOVE.header + b"not read")),
        (topics.JOURNEY_INPUTS, Consumed(None)),
        (topics.JOURNEY_INPUTS, Consumed(b"junk")),
        (topics.JOURNEY_SIGNALS, Consumed(JOURNEY_SIGNAL.encode(signal("s1", 1)))),
        (topics.JOURNEY_STATES, Consumed(resolved_bytes("in the wrong topic"))),
    ]

    inserts, rest = avro_inserts([*touchpoints(3), *states, *others], None, 1)

    assert {insert.table: insert.records for insert in inserts} == {
        "raw_touchpoints": touchpoints(3), "raw_journey_states": states,
    }  # fmt: skip
    assert rest == others


def test_few_records_are_not_worth_a_statement() -> None:
    few = touchpoints(AVRO_FROM - 1)

    assert avro_inserts(few, None, AVRO_FROM) == ([], few)
    assert len(avro_inserts(touchpoints(AVRO_FROM), None, AVRO_FROM)[0]) == 1


def test_what_the_codec_would_walk_before_decoding_is_left_to_it() -> None:
    value = resolved_bytes("e1", attributes={"a": "x" * UNWALKED_BYTES})

    assert avro_inserts([(topics.JOURNEY_INPUTS, Consumed(value))], None, 1)[0] == []


def test_of_a_profiles_states_only_the_newest_goes() -> None:
    states: Records = [
        (topics.JOURNEY_STATES, Consumed(JOURNEY_STATE.encode(journey("p1", version))))
        for version in (1, 2, 3)
    ]

    ((insert,), rejected) = prepare(states, avro_from=1)

    assert isinstance(insert, AvroInsert)
    assert insert.records == [states[2]]
    assert rejected == []


def test_every_file_has_a_token_of_its_own_even_with_the_same_records() -> None:
    assert (
        avro_inserts(touchpoints(1), None, 1)[0][0].token != avro_inserts(touchpoints(1), None, 1)[0][0].token
    )


def test_whatever_carries_an_erased_identifier_is_left_to_the_rows() -> None:
    erased = Erased()
    erased.learn("default", "cookie", "x", 0, 0)
    records: Records = [
        (topics.JOURNEY_INPUTS, Consumed(value))
        for value in (
            resolved_bytes("owner", ids=[("cookie", "x")]),
            resolved_bytes("carried", ids=[("cookie", "y"), ("cookie", "x")]),
            RESOLVED_TOUCHPOINT.header + b"\x7f",
            resolved_bytes("another", ids=[("cookie", "xx")]),
            resolved_bytes("of another type", ids=[("email", "x")]),
            resolved_bytes("elsewhere", ids=[("cookie", "x")], tenant="bank"),
        )
    ]

    ((insert,), rest) = avro_inserts(records, erased, 1)

    assert rest == records[:3]
    assert insert.records == records[3:]


def test_the_identifiers_of_a_touchpoint_are_read_without_the_rest_and_cut_off_ones_are_refused() -> None:
    value = resolved_bytes("e1", ids=[("cookie", "x"), ("email", "y")], type="order_placed")
    owner, other = {"type": "cookie", "value": "x"}, {"type": "email", "value": "y"}
    assert identifiers_of(value) == ("default", [owner, owner, other])

    for cut in random.Random(3).sample(range(10, 40), 10):
        with pytest.raises(ContractError):
            identifiers_of(value[:cut])
