import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.codec import encode, header
from schemas.encoding.record_types import DEAD_LETTER, IDENTITY_ASSIGNMENT, JOURNEY_STATE, RESOLVED_TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.keys import profile_key
from schemas.topics import Topic
from sinks.clickhouse.write.reading import READ, read
from tests.support.examples import example as plain
from tests.support.ids import ODD_IDS, person
from tests.support.kafka_records import Consumed, assignment, example, resolved_bytes
from tests.support.versions import as_version_2


def rejection(topic: Topic, record: Consumed) -> ContractError:
    with pytest.raises(ContractError) as caught:
        read(topic, record)
    return caught.value


def test_a_resolved_touchpoint_becomes_a_row_that_says_where_it_came_from() -> None:
    found = read(
        topics.JOURNEY_INPUTS,
        Consumed(resolved_bytes("e9"), topic="x.journey-inputs", partition=3, offset=11),
    )

    assert found is not None
    table, row = found
    assert table == "raw_touchpoints"
    assert row["event_id"] == "e9"
    assert (row["source_topic"], row["source_partition"], row["source_offset"]) == ("x.journey-inputs", 3, 11)


@pytest.mark.parametrize(
    ("topic", "name"),
    [(topic, name) for topic in READ for name in topic.values],
    ids=lambda one: getattr(one, "name", one),
)
def test_a_record_of_another_released_version_becomes_the_same_row(
    topic: Topic, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = plain(name)
    row = read(topic, Consumed(encode(name, record)))

    assert read(topic, Consumed(as_version_2(name, record, monkeypatch))) == row
    assert (row is None) == (name in ("Move", "Transfer", "Erase"))


@pytest.mark.parametrize("name", ["Move", "Transfer"])
def test_messages_between_profiles_are_skipped_without_being_decoded(name: str) -> None:
    assert read(topics.JOURNEY_INPUTS, Consumed(header(name) + b"no such datum")) is None


@pytest.mark.parametrize("topic", [t for t in READ if t is not topics.DEAD_LETTERS], ids=lambda t: t.name)
def test_bytes_that_are_not_ours_are_rejected_on_every_topic(topic: Topic) -> None:
    assert rejection(topic, Consumed(b"{}")).reason is Reason.UNDECODABLE


@given(st.binary(max_size=60))
def test_hostile_bytes_raise_nothing_but_a_contract_error(data: bytes) -> None:
    for start in (b"", RESOLVED_TOUCHPOINT.header, JOURNEY_STATE.header):
        for topic in (topics.JOURNEY_INPUTS, topics.JOURNEY_STATES):
            try:
                read(topic, Consumed(start + data))
            except ContractError:
                continue


def test_a_record_on_a_topic_of_others_is_rejected() -> None:
    error = rejection(topics.JOURNEY_STATES, Consumed(IDENTITY_ASSIGNMENT.encode(assignment("a", "p", 1))))

    assert str(error) == "a IdentityAssignment does not belong on journey-states"


def test_a_record_without_a_value_is_rejected_where_tombstones_mean_nothing() -> None:
    assert rejection(topics.JOURNEY_SIGNALS, Consumed(None)).reason is Reason.UNDECODABLE


def test_an_unreadable_dead_letter_is_stored_as_it_is() -> None:
    found = read(
        topics.DEAD_LETTERS, Consumed(b"junk", key=b"k", topic="dead-letters", partition=1, offset=5)
    )

    assert found is not None
    table, row = found
    assert table == "dead_letters"
    assert (row["key"], row["value"], row["topic"], row["partition"], row["offset"]) == (
        b"k", b"junk", "dead-letters", 1, 5,
    )  # fmt: skip
    assert row["reason"] == "UNDECODABLE"


def test_a_dead_letter_is_stored_with_the_original_bytes() -> None:
    found = read(topics.DEAD_LETTERS, Consumed(DEAD_LETTER.encode(example("DeadLetter"))))

    assert found is not None
    assert found[1]["value"] == example("DeadLetter")["value"]


def test_a_tombstone_deletes_the_journey_with_the_version_it_carries() -> None:
    key = profile_key("acme", person("p1"))
    found = read(topics.JOURNEY_STATES, Consumed(None, key=key, headers=(("version", b"42"),)))

    assert found is not None
    table, row = found
    assert table == "raw_journey_states"
    assert (row["tenant"], row["profile_id"], row["version"], row["is_deleted"]) == (
        "acme", person("p1"), 42, 1,
    )  # fmt: skip


@pytest.mark.parametrize("profile", ODD_IDS)
def test_a_tombstone_of_what_is_no_profile_is_rejected(profile: str) -> None:
    key = profile_key("acme", profile)
    error = rejection(topics.JOURNEY_STATES, Consumed(None, key=key, headers=(("version", b"42"),)))

    assert error.reason is Reason.INVALID


@pytest.mark.parametrize(
    "headers", [(), (("version", b"soon"),), (("version", b"-1"),), (("version", b"9" * 30),)]
)
def test_a_tombstone_without_a_readable_version_hides_no_state(
    headers: tuple[tuple[str, bytes], ...],
) -> None:
    error = rejection(topics.JOURNEY_STATES, Consumed(None, offset=3, headers=headers))

    assert error.reason is Reason.INVALID


def test_a_tombstone_deletes_the_assignment_of_an_identifier_with_any_value() -> None:
    found = read(
        topics.IDENTITY_ASSIGNMENTS,
        Consumed(None, key="acme/email:a:b/ü@x".encode(), headers=(("version", b"7"),)),
    )

    assert found is not None
    table, row = found
    assert table == "raw_identity_assignments"
    assert (row["tenant"], row["identifier_type"], row["identifier_value"]) == ("acme", "email", "a:b/ü@x")


@pytest.mark.parametrize("key", [None, b"", b"acme", b"acme/", b"/p", b"\xff/p"])
@pytest.mark.parametrize("topic", [topics.IDENTITY_ASSIGNMENTS, topics.JOURNEY_STATES], ids=lambda t: t.name)
def test_a_tombstone_that_names_nothing_is_rejected(topic: Topic, key: bytes | None) -> None:
    assert rejection(topic, Consumed(None, key=key, headers=(("version", b"7"),))).reason is Reason.INVALID
