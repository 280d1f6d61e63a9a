"""Stitch learns what identity decided by both cores: the same assignments, changelog records and dead letters."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.keys import partition_of
from schemas.version_bounds import VERSION_SLACK
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState
from tests.support.agents import Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.native import core, law_of_both, needs_native
from tests.support.transactions import transaction_over
from tests.unit.streams.native.test_equal_restores import (
    NODES,
    PROFILES,
    Change,
    assignments,
    damaged,
    identifier,
    links,
)

pytestmark = needs_native

PARTITIONS = 2
APP = worker_app(partitions=PARTITIONS)
STITCH = Stitch(APP, POLICY, CATALOGUE)


@st.composite
def published(draw: st.DrawFn) -> Record:
    """A record of identity-assignments: mostly right, some misplaced, damaged or from the future."""
    key, value = draw(st.one_of(assignments(), assignments(), damaged()))
    wrong = draw(st.sampled_from([*[""] * 12, "key", "partition", "value", "field"]))
    if wrong == "field":
        field, other = draw(
            st.sampled_from([
                ("tenant", "a b"), ("tenant", "t" * 65), ("occurred_at", 2**60), ("version", VERSION_SLACK),
                ("version", -1), ("identifier", {"type": "cookie", "value": "a\x1fb"}),
                ("identifier", {"type": "cookie", "value": "x" * 201}), ("identifier", {"type": "a b", "value": "a"}),
                ("event_id", "e" * 5000),
            ])
        )  # fmt: skip
        record: Any = plain(0) | {field: other}
        key = f"{record['tenant']}/{record['identifier']['type']}:{record['identifier']['value']}".encode()
        value = IDENTITY_ASSIGNMENT.encode(record)
    partition = partition_of(key, PARTITIONS) if wrong != "partition" else draw(st.integers(0, 1))
    return Record(
        "identity-assignments", partition, 0, 0, b"default/cookie:z" if wrong == "key" else key,
        None if wrong == "value" else value,
    )  # fmt: skip


def plain(node: int) -> dict[str, Any]:
    return {
        "tenant": "default", "identifier": identifier(NODES[node]), "profile_id": PROFILES[0], "contested_from": None,
        "contested_profile_id": None, "version": node, "event_id": "e", "occurred_at": 7, "correction": None,
    }  # fmt: skip


def learnt(records: list[Record], evidence: list[Change], *, native: bool) -> Any:
    """State, changelog records, what is from the future, and the dead letters."""
    state, ahead = StitchState(), []
    for key, value in evidence:
        state.restore(key, value)
    with core(native=native):
        fetch = transaction_over(APP, state, 0, None)
        STITCH.learning.learn(records, fetch, ahead)
    return state, dict(fetch.changes.records), ahead, dict(fetch.outputs.records)


@law_of_both
@given(st.lists(published(), max_size=8), st.lists(links(), max_size=3))
def test_whatever_identity_publishes(records: list[Record], evidence: list[Change]) -> None:
    native, python = (learnt(records, evidence, native=one) for one in (True, False))
    assert native == python
    assert {key: type(one) for key, one in native[0].assignments.items()} == {
        key: type(one) for key, one in python[0].assignments.items()
    }


def test_python_reads_no_assignment_without_oddities(monkeypatch: Any) -> None:
    monkeypatch.setattr("streams.stitch.learning.assignment_in", None)
    records = []
    for number in range(len(NODES)):
        record = plain(number)
        key = f"default/{NODES[number][0]}:{NODES[number][1]}".encode()
        records.append(
            Record(
                "identity-assignments", partition_of(key, PARTITIONS), number, 0, key,
                IDENTITY_ASSIGNMENT.encode(record),
            )
        )  # fmt: skip
    state, changes, ahead, letters = learnt(records, [], native=True)
    assert len(state.assignments) == len(records)
    assert [len(written) for written in changes.values()] == [len(records)]
    assert not ahead
    assert not letters
