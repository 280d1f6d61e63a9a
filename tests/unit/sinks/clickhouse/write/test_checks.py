"""The loader asks of records on internal topics what the agents ask, and supersedes nothing by what it rejects."""

from typing import Any

import pytest

from schemas import topics
from schemas.encoding.codec import encode
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.keys import partition_of, profile_key
from schemas.topics import Topic
from sinks.clickhouse.erasure.barrier import Position, Positions
from sinks.clickhouse.write.checks import Checks
from sinks.clickhouse.write.prepare import prepare
from tests.support.confused import VALID, Confused, confused_outputs, confused_records, key_of
from tests.support.ids import ODD_IDS, person
from tests.support.kafka_records import Consumed, journey, resolved

PARTITIONS = 4
INTERNAL = [
    one
    for one in (*confused_records(PARTITIONS), *confused_outputs(PARTITIONS))
    if "loader" in one.topic.read_by
    # messages between profiles have no table: the loader does not decode them
    and not one.kind.startswith(("Move", "Transfer", "Erase"))
]


def positions(end: int = 10) -> Positions:
    return {
        "touchline-loader": {
            (topic.name, number): Position(0, end) for topic in topics.ALL for number in range(PARTITIONS)
        }
    }


def record(topic: Topic, key: bytes | None, value: bytes | None, **fields: Any) -> tuple[Topic, Any]:
    place = {"partition": partition_of(key or b"", PARTITIONS), "key": key} | fields
    return topic, Consumed(value, topic=topic.name, **place)


@pytest.mark.parametrize("avro_from", [None, 1], ids=["as rows", "as Avro"])
@pytest.mark.parametrize("one", INTERNAL, ids=str)
def test_a_confused_record_gets_no_row_and_a_dead_letter_unless_an_agent_writes_it(
    one: Confused, avro_from: int | None
) -> None:
    batch = [record(one.topic, one.key, one.value, partition=one.partition, headers=one.headers)]

    inserts, rejected = prepare(batch, avro_from=avro_from, checks=Checks(positions, 0))

    # what only a decoded touchpoint shows, ClickHouse's statement sees or nobody: an agent has refused it
    undecoded = [
        insert for insert in inserts if avro_from and one.kind.startswith(("ResolvedT", "JourneyState"))
    ]
    assert inserts == undecoded
    agents = {"stitch", "identity", "journeys", "accounts"} & set(one.topic.read_by)
    assert len(rejected) == (0 if agents or undecoded else 1)


@pytest.mark.parametrize("topic", [one for one in VALID if "loader" in one.read_by], ids=lambda one: one.name)
def test_what_is_right_gets_its_row(topic: Topic) -> None:
    name, message = VALID[topic][0]
    for avro_from in (None, 1):
        batch = [record(topic, key_of(name, message), encode(name, message))]
        inserts, rejected = prepare(batch, avro_from=avro_from, checks=Checks(positions, 0))
        assert inserts
        assert not rejected


@pytest.mark.parametrize("odd", ODD_IDS)
@pytest.mark.parametrize("name", ["ResolvedTouchpoint", "JourneyState"])
def test_a_profile_that_is_no_uuid_never_gets_into_a_file_of_avro(name: str, odd: str) -> None:
    message = resolved() if name == "ResolvedTouchpoint" else journey("p1", 3, tenant="default")
    for profile, certain in ((person("p1"), True), (odd, False)):
        _, one = record(
            topics.JOURNEY_STATES,
            profile_key("default", profile),
            encode(name, {**message, "profile_id": profile}),
        )
        assert Checks(positions, 0).certain(name, one) is certain


def test_a_state_from_the_future_supersedes_no_state_of_its_batch() -> None:
    def state(version: int, **fields: Any) -> tuple[Topic, Any]:
        value = JOURNEY_STATE.encode(journey("p1", version, tenant="default"))
        return record(topics.JOURNEY_STATES, profile_key("default", person("p1")), value, **fields)

    forged = record(
        topics.JOURNEY_STATES, profile_key("default", person("p1")), None, headers=(("version", b"9" * 18),)
    )
    batch = [state(2), state(2**60, offset=8), forged, state(3)]

    for avro_from in (None, 1):
        (insert,), rejected = prepare(batch, avro_from=avro_from, checks=Checks(positions, 0))
        assert insert.rows == 1
        assert len(rejected) == 2


def test_kafka_is_asked_once_more_when_a_version_seems_to_be_ahead_and_then_not_for_a_while() -> None:
    asked: list[int] = []

    def look() -> Positions:
        asked.append(len(asked))
        return positions(10 if len(asked) == 1 else 3 << 20)

    now = 0.0
    checks = Checks(look, 0, lambda: now)
    value = JOURNEY_STATE.encode(journey("p1", 3 << 20, tenant="default"))
    batch = [record(topics.JOURNEY_STATES, profile_key("default", person("p1")), value)]

    checks.certain("JourneyState", batch[0][1])
    now = 2.0
    inserts, rejected = prepare(batch, checks=checks)

    assert (len(inserts), rejected, len(asked)) == (1, [], 2)
