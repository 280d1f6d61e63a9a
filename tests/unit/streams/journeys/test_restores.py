"""What a worker holds is what its changelog restores: whole, compacted, and in either core."""

import os
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.records import FrozenSummary, IdentityAssignment, Touchpoint
from streams.journeys.agent import Journeys
from streams.journeys.changelog_keys import Kind
from streams.journeys.journey import Journey
from streams.journeys.partition import JourneyPartition
from streams.journeys.timeline.timeline import Timeline
from tests.support.agents import Record, recover, worker_app
from tests.support.built_in import CATALOGUE
from tests.support.journeys import DAY, MINUTE, START, touchpoint
from tests.support.journeys_of import assigned, fed, law, long_journey
from tests.support.native import core, needs_native
from tests.unit.streams.native.test_equal_fetches import (
    NODES,
    PROFILES,
    RULES,
    Broker,
    Message,
    Step,
    assignments,
    lives,
    messages,
)

KEY = b"default/p1"
BOTH_CORES = pytest.mark.parametrize("native", [False, pytest.param(True, marks=needs_native)])
Changes = list[tuple[bytes, bytes | None]]


@cache
def summed_up(seed: int, node: tuple[str, str], start: int) -> FrozenSummary:
    """The horizon summary of an identifier's 200 touchpoints from one of the journey's on."""
    journey = [
        item | {"identifiers": [{"type": node[0], "value": node[1]}], "account_id": None}
        for item in long_journey(seed, 200 + start)[start:]
    ]
    (summary,) = fed(journey, RULES, every=50).summaries.values()  # type: ignore[arg-type]
    return summary.record()


@st.composite
def summaries(draw: st.DrawFn) -> Message:
    """A Transfer of a summary. Of the summaries of one identifier some overlap, and some follow each other."""
    assignment = draw(assignments())
    identifier = assignment["identifier"]
    seed, start = draw(st.sampled_from([(1, 0), (1, 50), (1, 200), (2, 0)]))
    frozen = summed_up(seed, (identifier["type"], identifier["value"]), start)
    return "Transfer", {
        "profile_id": draw(st.sampled_from(PROFILES)), "from_profile_id": draw(st.sampled_from(PROFILES)),
        "assignment": assignment, "touchpoints": [], "frozen": frozen,
    }  # fmt: skip


fetches = st.lists(st.one_of(messages, messages, messages, summaries()), min_size=1, max_size=10)


def restored(changes: Changes, *, native: bool) -> JourneyPartition:
    """The partition of a worker that has read a changelog."""
    with core(native=native):
        journeys = Journeys(worker_app(Broker()), CATALOGUE, RULES, clock=lambda: (START + 2 * DAY) / 1000)
        log = [Record("", 0, number, 0, *change) for number, change in enumerate(changes)]
        recover(journeys.state, [0], lambda _, start: [log[start:]] if log else [])
        return journeys.state.of(0)


def compacted(changes: Changes) -> Changes:
    """What compaction leaves of a changelog: of each key the newest record, in its place, unless it is a tombstone."""
    newest: dict[bytes, bytes | None] = {}
    for key, value in changes:
        newest.pop(key, None)
        newest[key] = value
    return [(key, value) for key, value in newest.items() if value is not None]


def lasting(partition: JourneyPartition) -> dict[bytes, Any]:
    """What a partition holds that a restart must not change."""
    return {key: _lasting(partition.journeys[key]) for key in list(partition.journeys)}


def _lasting(journey: Journey) -> Any:
    timeline = journey.timeline
    entries = sorted((entry.id, entry.version, entry.value) for entry in timeline.held())
    return entries, timeline.order, timeline.places, timeline.pointers, timeline.summaries, journey.told.last


def copy_of_a_call(campaign: str, received: int) -> Touchpoint:
    return touchpoint(
        "support_call", 30, event_id="call", campaign=campaign, received_at=START + received * MINUTE,
        identifiers=[{"type": "cookie", "value": "a"}],
    )  # fmt: skip


def assignment(version: int, profile: int) -> IdentityAssignment:
    return assigned("a", PROFILES[profile], version)


def accepted(item: Touchpoint, version: int = -1) -> Message:
    return "ResolvedTouchpoint", {
        "identifier": {"type": "cookie", "value": "a"}, "profile_id": PROFILES[0], "version": version,
        "touchpoint": item,
    }  # fmt: skip


def given_away(version: int) -> Message:
    return "Move", {"profile_id": PROFILES[0], "assignment": assignment(version, 1)}


def given_back(version: int, *items: Touchpoint, frozen: FrozenSummary | None = None) -> Message:
    return "Transfer", {
        "profile_id": PROFILES[0], "from_profile_id": PROFILES[1], "assignment": assignment(version, 0),
        "touchpoints": list(items), "frozen": frozen,
    }  # fmt: skip


BETTER, WORSE = copy_of_a_call("first", 31), copy_of_a_call("second", 32)
A_WORSE_COPY_COMES: list[Step] = [[accepted(BETTER)], [given_away(3), given_back(4, WORSE)]]
ANOTHER_SUMMARY_COMES: list[Step] = [
    [given_back(2, frozen=summed_up(1, NODES[0], 0))],
    [given_away(3), given_back(4, frozen=summed_up(1, NODES[0], 200))],
]
ALL_LEAVES: list[Step] = [[accepted(BETTER)], [given_away(3)]]


@BOTH_CORES
@settings(law, max_examples=int(os.environ.get("NATIVE_EXAMPLES", "8")))
@example(given_steps=A_WORSE_COPY_COMES)
@example(given_steps=ANOTHER_SUMMARY_COMES)
@example(given_steps=ALL_LEAVES)
@given(given_steps=st.lists(fetches, min_size=1, max_size=4))
def test_a_changelog_restores_what_its_worker_holds(native: bool, given_steps: list[Step]) -> None:
    broker, journeys = lives(given_steps, native=native)
    held = lasting(journeys.state.of(0))
    empty = _lasting(Journey(Timeline("default", "p1")))
    for changes in (broker.changelog, compacted(broker.changelog)):
        found = lasting(restored(changes, native=native))
        # of a profile that has never had anything the changelog says nothing
        assert found == {key: one for key, one in held.items() if key in found or one != empty}


@BOTH_CORES
@pytest.mark.parametrize("given_steps", [A_WORSE_COPY_COMES, ANOTHER_SUMMARY_COMES])
def test_what_leaves_and_comes_worse_in_one_fetch_is_deleted_before_it_is_written(
    native: bool, given_steps: list[Step]
) -> None:
    broker, _ = lives(given_steps, native=native)
    kinds = (Kind.ENTRY, Kind.SUMMARY)
    written = [change for change in broker.changelog if any(kind in change[0] for kind in kinds)]
    assert [(key, value is not None) for key, value in written] == [
        (written[0][0], True), (written[0][0], False), (written[0][0], True)
    ]  # fmt: skip


@needs_native
def test_a_deletion_before_a_write_goes_with_a_journey_that_python_takes() -> None:
    of_an_account = touchpoint("home", 40, account_id="acme", identifiers=[{"type": "cookie", "value": "a"}])
    back_and_forth = [given_away(3), given_back(4, WORSE), given_away(5), given_back(6, WORSE)]
    given_steps: list[Step] = [[accepted(BETTER)], [*back_and_forth, accepted(of_an_account)]]
    native, _ = lives(given_steps, native=True)
    assert [value is not None for key, value in native.changelog if b"call" in key] == [True, False, True]
    assert native.changelog == lives(given_steps, native=False)[0].changelog
