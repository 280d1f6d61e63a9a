import pickle
from pathlib import Path

import pytest

from schemas.errors import UnavailableError
from tests.benchmarks import instructions, lean_worker

EVENTS = 300
PYTHON = instructions.version_of("python")


def guard(accepted: int) -> dict[str, object]:
    return {"tolerance": 0.1, "accepted": {PYTHON: accepted}}


def test_what_is_accepted_passes_and_so_does_a_little_more():
    instructions.compare(1_000, guard(1_000), PYTHON)
    instructions.compare(1_099, guard(1_000), PYTHON)


def test_a_dearer_event_fails_and_the_sentence_says_by_how_much():
    with pytest.raises(
        instructions.CostlierError, match=r"1,200 instructions, 1.20 times the 1,000 .* accept"
    ):
        instructions.compare(1_200, guard(1_000), PYTHON)


def test_a_python_without_a_figure_is_not_taken_for_a_good_one():
    with pytest.raises(UnavailableError, match="--accept"):
        instructions.compare(1_000, {"tolerance": 0.1, "accepted": {}}, PYTHON)


def test_accepting_keeps_the_figures_of_other_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instructions, "GUARD", tmp_path / "instructions.toml")
    instructions.write_guard({"tolerance": 0.1, "accepted": {"CPython 9.9 x86_64": 7_000}}, 5_000, PYTHON)
    accepted = instructions.read_guard()
    assert accepted["tolerance"] == 0.1
    assert accepted["accepted"] == {"CPython 9.9 x86_64": 7_000, PYTHON: 5_000}


def test_the_same_touchpoints_cause_the_same_records_every_time(tmp_path: Path):
    file = tmp_path / "workload"
    lean_worker.prepare(file, EVENTS, people=30)
    prepared = pickle.loads(file.read_bytes())
    published = [lean_worker.run(prepared) for _ in range(2)]
    assert published[0] == published[1]
    assert published[0]["journey-inputs"] >= EVENTS * 0.95
    assert "dead-letters" not in published[0]
