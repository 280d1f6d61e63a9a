"""The sizes of records that `touchline size` computes with are those of the simulated population."""

from typing import Any

import pytest

from deploy.simulation.population import Population
from deploy.sizing import model
from tests.benchmarks.record_sizes import measure

#: Of the figures, which are rounded.
ROUNDED = 0.05


def bytes_of(found: dict[str, Any], *names: str) -> float:
    return sum(float(found["topics"][name]["bytes"]) for name in names)


def kept_of(found: dict[str, Any], *names: str) -> float:
    return sum(float(found["topics"][name]["kept"]) for name in names)


def test_what_is_counted_of_a_few_people_is_what_an_event_leaves() -> None:
    found: Any = measure(Population(50, 500, seed=1))
    topics = found["topics"]
    assert topics["touchpoints"]["records"] == 1.0
    assert topics["touchpoints"]["kept"] is None
    assert 1.0 <= topics["journey-inputs"]["records"] < 2.0
    # compaction keeps one state a profile, and a record has a key
    assert 200 < topics["journey-states"]["kept"] < 3_000
    assert found["profiles"] <= found["identifiers"]


@pytest.mark.soak
def test_the_models_figures_are_those_of_the_population() -> None:
    found: Any = measure(Population(4_000, 60_000, seed=1))
    topics, each = found["topics"], found["events"] / found["profiles"]
    changelogs = [
        f"touchline-worker-{name}-changelog" for name in ("stitch", "identity", "journeys", "accounts")
    ]
    # a state an event: fetches of a live worker are small, so few events share one
    state = topics["journey-states"]["bytes"] / topics["journey-states"]["records"]
    measured = {
        model.TOUCHPOINT_RECORD: bytes_of(found, "touchpoints"),
        model.INPUT_RECORD: bytes_of(found, "journey-inputs"),
        model.MONTH_RECORDS: bytes_of(found, "identity-links", "journey-signals", "profile-changes"),
        model.COMPACTED_WRITES: state + bytes_of(found, "identity-assignments", "account-states", *changelogs),
        model.PROFILE_KEPT: kept_of(
            found, "journey-states", "identity-assignments", "account-states",
            *(name for name in changelogs if "journeys" not in name),
        ),
        model.TIMELINE_KEPT: kept_of(found, "touchline-worker-journeys-changelog") / each,
        model.LINKS: topics["identity-links"]["records"],
        model.SIGNALS: topics["journey-signals"]["records"],
        model.IDENTIFIERS: found["identifiers"] / found["profiles"],
    }  # fmt: skip
    wrong = {
        figure.meaning: (figure.value, now)
        for figure, now in measured.items()
        if figure.value != pytest.approx(now, rel=ROUNDED)
    }
    assert wrong == {}
