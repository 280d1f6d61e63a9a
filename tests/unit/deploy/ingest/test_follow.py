"""A record of a followed topic: its touchpoints, nothing, or the reason of its dead letter."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.ingest.follow import touchpoints_of
from deploy.ingest.mapping.change_data import Change
from deploy.ingest.mapping.file import load_mapping, parse_mapping
from deploy.ingest.publisher import message
from schemas.errors import ContractError, Reason, SettingsError
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.exports import sample
from tests.support.kafka_records import Consumed

NOW = 1_775_000_000_000
CHANGES = load_mapping("debezium-customers")
ROWS = parse_mapping(
    'derive_event_id = true\nconstants = { source = "s", channel = "web", type = "login" }\n'
    'columns.occurred_at = "at"\nidentifiers.cookie = "c"\n',
    "m.toml",
)


def taken(value: bytes | None, which: Any = CHANGES, timestamp: int = NOW - 1000) -> list[Any]:
    return touchpoints_of(Consumed(value, timestamp=timestamp), which, NOW)


def first_change() -> bytes:
    return sample("debezium-customers").read_bytes().splitlines()[0]


def test_a_change_is_received_when_its_record_was_written_so_that_reading_it_again_makes_the_same() -> None:
    (event,) = taken(first_change())
    assert event["received_at"] == NOW - 1000
    assert touchpoints_of(Consumed(first_change(), timestamp=NOW - 1000), CHANGES, NOW + 5) == [event]


@pytest.mark.parametrize("timestamp", [-1, 0, NOW + 86_400_000])
def test_a_record_without_a_time_or_of_the_future_is_received_now(timestamp: int) -> None:
    (event,) = taken(first_change(), timestamp=timestamp)
    assert event["received_at"] == NOW


def test_a_tombstone_is_nothing_in_change_data_and_a_dead_letter_among_rows() -> None:
    assert taken(None) == []
    with pytest.raises(ContractError, match="the record has no value"):
        taken(None, ROWS)


def test_a_topic_of_plain_rows_is_read_too() -> None:
    (event,) = taken(b'{"at": "2026-03-01", "c": "1"}', ROWS)
    assert event["type"] == "login"


@pytest.mark.parametrize(
    ("value", "reason", "says"),
    [
        (b"", Reason.UNDECODABLE, "the record has no value"),
        (b"\x00\x00\x00\x00\x07abc", Reason.UNDECODABLE, "set value.converter to JsonConverter"),
        (b'{"op": ', Reason.UNDECODABLE, "not JSON"),
        (b"\xff", Reason.UNDECODABLE, "not UTF-8"),
        (b" " * 5_000_000, Reason.TOO_LARGE, "longer than"),
        (
            b'{"op": "c", "after": {}, "source": {"table": "customers"}}',
            Reason.INVALID,
            "occurred_at is missing",
        ),
        (b"7", Reason.INVALID, "change data is a JSON object"),
    ],
)
def test_what_cannot_be_taken_has_a_reason_of_the_closed_list(
    value: bytes, reason: Reason, says: str
) -> None:
    with pytest.raises(ContractError, match=says) as caught:
        taken(value)
    assert caught.value.reason is reason


PLACES = ["1.5", "[1.25]", '{"a": 1.5}', "1e300"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["lsn", "ts_ms"])
def test_a_place_in_the_log_that_no_database_writes_is_a_dead_letter(name: str, place: str) -> None:
    source = {"name": "crm", "table": "customers", "ts_ms": NOW - 5000, name: "?"}
    change = {"op": "c", "before": None, "after": {"id": 1, "email": "a@example.com"}, "source": source}
    with pytest.raises(ContractError) as caught:
        taken(json.dumps(change).replace('"?"', place).encode())
    assert caught.value.reason is Reason.INVALID


@pytest.mark.parametrize("fault", [TypeError("x"), ValueError("x"), RecursionError("x"), StopIteration("x")])
def test_a_bug_that_one_record_meets_is_its_dead_letter(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(Change, "columns", raising(fault))
    with pytest.raises(ContractError, match=f"please report it: {type(fault).__name__}: x") as caught:
        taken(first_change())
    assert caught.value.reason is Reason.UNEXPECTED


def test_a_bug_that_one_touchpoint_meets_on_its_way_out_is_its_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (event,) = taken(first_change())
    monkeypatch.setattr("deploy.ingest.publisher.prepare", raising(KeyError("x")))
    with pytest.raises(ContractError, match="please report it: KeyError: 'x'") as caught:
        message(event, POLICY, CATALOGUE)
    assert caught.value.reason is Reason.UNEXPECTED


@pytest.mark.parametrize("fault", [MemoryError("x"), OSError("x"), SettingsError("x")])
def test_what_is_not_the_record_s_own_fault_is_no_dead_letter(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(Change, "columns", raising(fault))
    with pytest.raises(type(fault)) as caught:
        taken(first_change())
    assert caught.value is fault


def raising(fault: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise fault

    return fail


@given(st.binary(max_size=60) | st.integers(0, 900).map(lambda cut: first_change()[:cut]))
def test_hostile_bytes_are_refused_and_never_crash(value: bytes) -> None:
    try:
        taken(value)
    except ContractError:
        return
