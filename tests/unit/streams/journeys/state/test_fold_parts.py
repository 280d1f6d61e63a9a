"""The fold consists of parts that are listed once: whatever touchpoints change is in one of them."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.encoding.registry import current
from schemas.errors import ContractError
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state import fold as fold_module
from streams.journeys.state.fold import Fold
from streams.journeys.state.fold_part import FoldPart
from streams.journeys.state.instants import advance_all
from streams.journeys.state.sessions import SessionPool
from tests.support.journeys import CATALOGUE, HOUR, RULES, START, fold
from tests.support.journeys_of import long_journey

FIELDS = [field["name"] for field in current()["FoldSummary"]["fields"]]
#: With a rule that counts, which the built-in rules have none of.
COUNTING = JourneyRules.parse(
    '[rules.keen]\ntouchpoints = ["product_view"]\nat_least = 3\nwithin_hours = 999', "mine.toml"
)
JOURNEY = long_journey(3, 300)


def dumped(part: FoldPart) -> dict[str, Any]:
    return part.dump(SessionPool())


def test_the_parts_write_every_field_of_a_summary_exactly_once() -> None:
    written = [name for part in fold(*JOURNEY).parts for name in dumped(part)]
    assert sorted(written) == sorted(set(FIELDS) - {"session_pool"})


def test_what_touchpoints_do_not_change_is_all_that_a_fold_has_beside_its_parts() -> None:
    others = [name for name in Fold.__slots__ if name not in Fold.PARTS]
    folded = Fold(CATALOGUE, RULES)
    before = {name: getattr(folded, name) for name in others}
    rest_before = {name: repr(value) for name, value in before.items() if not callable(value)}
    advance_all(folded, ((item, item["identifiers"][0]) for item in JOURNEY))
    assert sorted(others) == ["_channel_aliases", "_human", "_meaning", "_rules"]
    assert {name: getattr(folded, name) for name in others} == before
    assert {name: repr(value) for name, value in before.items() if not callable(value)} == rest_before


@pytest.mark.parametrize("name", Fold.PARTS)
def test_touchpoints_change_each_part(name: str) -> None:
    part: Callable[[Fold], FoldPart] = attrgetter(name)
    untouched, folded = Fold(CATALOGUE, COUNTING), fold(*JOURNEY, rules=COUNTING)
    assert dumped(part(folded)) != dumped(part(untouched))


@pytest.mark.parametrize("left_out", Fold.PARTS)
def test_a_fold_that_leaves_a_part_out_writes_no_summary(
    left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = [name for name in Fold.PARTS if name != left_out]
    folded = fold(*JOURNEY)
    monkeypatch.setattr(fold_module, "parts_of", attrgetter(*rest))
    with pytest.raises(ContractError):
        FOLD_SUMMARY.encode(folded.dump())


@pytest.mark.parametrize("name", Fold.PARTS)
def test_a_summary_and_a_merge_carry_each_part(name: str) -> None:
    part: Callable[[Fold], FoldPart] = attrgetter(name)
    rich, taker = fold(*JOURNEY, rules=COUNTING), Fold(CATALOGUE, COUNTING)
    read = Fold.load(FOLD_SUMMARY.decode(FOLD_SUMMARY.encode(rich.dump())), "default", CATALOGUE, COUNTING)
    assert read.dump() == rich.dump()
    taker.absorb(read)
    assert dumped(part(taker)) != dumped(part(Fold(CATALOGUE, COUNTING)))


def test_a_new_fold_that_takes_in_another_says_what_the_other_says() -> None:
    rich, taker = fold(*JOURNEY, rules=COUNTING), Fold(CATALOGUE, COUNTING)
    taker.absorb(fold(*JOURNEY, rules=COUNTING))
    assert taker.state("default", "p1", 1) == rich.state("default", "p1", 1)
    now = START + 9_999 * HOUR
    assert taker.signals(now) == rich.signals(now)
