"""The harness of the fault suite: what counts as harm, what controls take out, and what a session plays."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import UnavailableError
from streams.journeys.signals.write_ahead import SignalWriteAhead
from streams.runtime import fetches
from tests.faults import session, variants
from tests.faults.__main__ import part
from tests.faults.arena import Scale
from tests.faults.catalogue import BY_NUMBER, FAULTS, Fault
from tests.faults.oracle import COUNTS, Verdict
from tests.faults.report import into, rows
from tests.faults.session import append, known, left, plan
from tests.faults.suite import Outcome

CLEAN = Verdict(
    published=500, lost=0, duplicates=0, raw_duplicates=40, strangers=0, wrong_owners=0, wrong_states=0, overcommitted=0
)  # fmt: skip


def outcome(verdict: Verdict | None = CLEAN, **fields: object) -> Outcome:
    told = {
        "fault": 5,
        "title": "storm",
        "seed": 1,
        "control": "",
        "verdict": verdict,
        "never": ("repeated",),
    }
    return Outcome(**(told | fields))  # type: ignore[arg-type]


# what counts as harm


@pytest.mark.parametrize(
    "field", ["lost", "duplicates", "strangers", "wrong_owners", "wrong_states", "overcommitted", "repeated"]
)
def test_each_difference_is_harm(field: str) -> None:
    assert not outcome().harmed
    assert outcome(replace(CLEAN, **{field: 1})).harmed


def test_what_protected_runs_show_too_is_no_harm() -> None:
    assert outcome(replace(CLEAN, raw_duplicates=900), control="the token").good is False


def test_what_no_protection_of_the_fault_is_for_is_no_harm() -> None:
    assert not outcome(replace(CLEAN, stored_twice=3)).harmed


def test_a_deployment_that_comes_to_no_rest_is_harmed() -> None:
    assert outcome(None).harmed
    assert outcome(problems=["stuck"]).harmed


def test_a_run_that_misses_its_moment_shows_nothing() -> None:
    assert outcome(aimed=2, met=2).good
    assert not outcome(aimed=2, met=1).good
    assert not outcome(replace(CLEAN, lost=1), control="acknowledging", aimed=1, met=0).good


# controls


def test_every_change_of_the_catalogue_exists_and_says_what_it_is() -> None:
    def says(name: str) -> str:
        return str(variants.found(name).__doc__).split(":")[0]

    for fault in FAULTS:
        assert {says(name) for name in fault.worker + fault.loader} <= {"With"}
        for control in fault.controls:
            assert {says(name) for name in control.worker + control.loader} == {"Without"}
        assert set(fault.never) <= COUNTS.keys()


def test_without_gaps_a_commit_passes_a_fetch_that_is_not_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def committed() -> list[int | None]:
        tracker: Any = fetches.OffsetTracker()
        read = [tracker.track(0, last) for last in (9, 19, 29)]
        read[1].done = True
        first = tracker.pop_committable(0)
        read[0].done = True
        return [first, tracker.pop_committable(0)]

    assert committed() == [None, 20]
    monkeypatch.setattr(fetches, "OffsetTracker", fetches.OffsetTracker)
    variants.change(["commits_past_gaps"], tmp_path)
    assert committed() == [20, None]


def test_without_the_write_ahead_nothing_is_written_ahead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ahead = SignalWriteAhead()
    ahead.raising(b"default/p", 2, 0, "cart", b"")
    assert ahead.ahead()
    monkeypatch.setattr(SignalWriteAhead, "ahead", SignalWriteAhead.ahead)
    variants.change(["writes_nothing_ahead"], tmp_path)
    assert not ahead.ahead()


# sessions


def test_a_session_plays_every_fault_with_a_seed_before_the_next_seed() -> None:
    runs = list(plan([BY_NUMBER[1], BY_NUMBER[2]], [7, 8], Scale.SHORT))
    assert [(run.fault.number, run.seed, run.control is not None) for run in runs] == [
        (number, seed, control)
        for seed in (7, 8)
        for number, control in ((1, False), (1, True), (1, True), (2, False))
    ]
    assert len({run.key for run in runs}) == len(runs)


def test_parts_of_a_session_are_told_as_one_of_so_many() -> None:
    assert part("2/3") == (2, 3)
    for wrong in ("0/3", "4/3", "2", "a/b"):
        with pytest.raises(ValueError, match=r"part|unpack|literal"):
            part(wrong)


def test_a_session_goes_on_where_it_was(tmp_path: Path) -> None:
    runs = list(plan([BY_NUMBER[5]], [1, 2], Scale.SHORT))
    file = tmp_path / "results.jsonl"
    assert left(runs, known(file)) == runs
    done = [
        outcome(scale=Scale.SHORT),
        outcome(scale=Scale.SHORT, control=BY_NUMBER[5].controls[0].without, seed=2),
    ]
    lines = [json.dumps(one.to_dict()) for one in done]
    file.write_text("\n".join(lines) + '\n{"fault": 5, "ti')

    assert known(file) == done
    append(file, done[0])
    assert known(file) == [*done, done[0]]
    assert left(runs, known(file)) == [run for run in runs if run.key not in {runs[0].key, runs[4].key}]


def test_a_trial_that_the_harness_cannot_play_is_played_once_more_on_new_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[int] = []

    @contextmanager
    def arenas() -> Iterator[Any]:
        started.append(len(started))
        yield started[-1]

    def play(where: int, fault: Fault, seed: int, **_: object) -> Outcome:
        # the first servers die in the first trial; those that come third die in the second one, and the next, too
        if where in (0, 2) or (seed == 2 and where == 1):
            raise UnavailableError("ClickHouse does not answer")
        return outcome(fault=fault.number, seed=seed, notes=[])

    monkeypatch.setattr(session, "play", play)
    runs = list(plan([BY_NUMBER[2]], [1, 2, 3], Scale.SHORT))
    said: list[str] = []
    found = session.play_all(
        runs, arenas, tmp_path / "results.jsonl", lambda _, progress: said.append(progress)
    )

    assert [one.good for one in found] == [True, False, True]
    assert found[0].notes == ["played again after UnavailableError: ClickHouse does not answer"]
    assert len(found[1].problems) == session.ATTEMPTS
    # the next session plays again what nobody could play
    assert known(tmp_path / "results.jsonl") == [found[0], found[2]]
    assert (len(started), len(said)) == (4, 3)


def test_after_a_trial_whose_data_is_kept_the_next_one_gets_new_servers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: list[int] = []

    @contextmanager
    def arenas() -> Iterator[Any]:
        yield len(set(used)) + 1

    def play(where: int, fault: Fault, seed: int, **_: object) -> Outcome:
        used.append(where)
        return outcome(None, seed=seed, kept="a folder") if seed == 2 else outcome(seed=seed)

    monkeypatch.setattr(session, "play", play)
    runs = list(plan([BY_NUMBER[2]], [1, 2, 3], Scale.SHORT))
    session.play_all(runs, arenas, tmp_path / "results.jsonl", lambda *_: None)
    assert used == [1, 1, 2]


def test_a_page_gets_the_table_between_its_marks_and_keeps_the_rest() -> None:
    page = "above\n<!-- faults -->\nold\n<!-- /faults -->\nbelow\n"
    found = [outcome(aimed=1, met=1), outcome(replace(CLEAN, lost=4), control="one", aimed=1, met=1)]
    new = into(page, found)

    assert new.startswith("above\n<!-- faults -->\n\n1 runs with all protections and 500 touchpoints: 0 lost")
    assert "Of 1 control runs 1 were harmed. Moments met: 2 of 2." in new
    assert new.endswith("|\n\n<!-- /faults -->\nbelow\n")
    assert "old" not in new
    assert into(new, found) == new
    with pytest.raises(ValueError, match="no <!-- faults -->"):
        into("a page", found)


def test_the_table_counts_harm_by_control_and_moments_by_arm() -> None:
    (row,) = rows(
        [
            outcome(aimed=1, met=1, recoveries=[1.0]),
            outcome(replace(CLEAN, repeated=4), seed=2, aimed=1, met=1),
            outcome(replace(CLEAN, lost=4), control="one", aimed=1, met=1),
            outcome(control="one", aimed=1, met=0),
            outcome(None, control="other"),
        ]
    )
    assert row[2:10] == ("1,000", "2", "1-2", "0", "0", "4", "2 of 2", "0")
    assert row[12:14] == ("one 1 of 2; other 1 of 1", "1 of 2")
