import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.values import EARLIEST, LATEST, moment
from sinks.clickhouse.write.encoding.columns import Source
from sinks.clickhouse.write.encoding.tables import TABLES
from tests.support.kafka_records import example, resolved

GOLDEN = Path(__file__).parent / "golden"
int64 = st.integers(-(2**63), 2**63 - 1)


def row_of(name: str, record: dict[str, Any]) -> dict[str, Any]:
    return TABLES[name].row(record, Source("a-topic", 2, 7))


def readable(value: Any) -> Any:
    """As JSON shows it."""
    return json.loads(json.dumps(value, default=lambda raw: raw.decode("latin-1")))


@pytest.mark.parametrize("name", TABLES)
def test_the_example_of_every_record_becomes_its_golden_row(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())

    assert readable(row_of(name, example(name))) == golden


def test_the_copy_stitched_under_the_newest_assignment_wins() -> None:
    older, newer = (row_of("ResolvedTouchpoint", resolved(version=v)) for v in (-1, (3 << 48) + 5))

    assert newer["version"] > older["version"]


def test_which_of_two_differing_copies_wins_does_not_depend_on_where_they_lay_in_kafka() -> None:
    touchpoints = TABLES["ResolvedTouchpoint"]
    first, second = (touchpoints.row(resolved(), Source("t", 0, offset)) for offset in (1, 2))

    assert first["version"] == second["version"]


@given(int64)
def test_every_time_becomes_one_that_clickhouse_can_hold(time: int) -> None:
    assert EARLIEST <= moment(time) <= LATEST
    assert moment(time) == time or not EARLIEST <= time <= LATEST


@given(int64)
def test_a_version_is_never_negative(version: int) -> None:
    assert row_of("ResolvedTouchpoint", resolved(version=version))["version"] >= 0
    assert row_of("JourneySignal", {**example("JourneySignal"), "version": version})["version"] >= 0
