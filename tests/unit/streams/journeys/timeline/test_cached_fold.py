"""The cached fold goes on at the end of a timeline, and folds again from its checkpoint or from the beginning."""

import pytest

from streams.journeys.timeline.cached_fold import CHECKPOINT_DISTANCE, CachedFold, first_of_its_time
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, RULES, touchpoint
from tests.support.journeys_of import fed, give, long_journey

LENGTH = 4 * CHECKPOINT_DISTANCE


def folded(timeline: Timeline) -> CachedFold:
    """The cached fold of a timeline, complete."""
    timeline.fold(CATALOGUE, RULES)
    return timeline.cached


def one_by_one(length: int) -> Timeline:
    """A timeline of touchpoints a minute apart."""
    timeline = Timeline("default", "p1")
    for minute in range(length):
        give(timeline, touchpoint("home", minute, event_id=f"e{minute:04}"))
    return timeline


def test_a_touchpoint_at_the_end_is_folded_while_it_is_decoded() -> None:
    timeline = one_by_one(3)
    fold = folded(timeline).fold
    give(timeline, touchpoint("home", 3, event_id="e0003"))
    assert timeline.cached.fold is fold
    assert timeline.cached.count == 4


def test_a_fold_that_lacks_touchpoints_takes_no_later_one() -> None:
    timeline = one_by_one(3)
    give(timeline, touchpoint("home", 3, event_id="e0003"))
    assert timeline.cached.fold is None
    assert timeline.cached.count == 0


@pytest.mark.parametrize(
    ("late_by", "kept"), [(CHECKPOINT_DISTANCE - 1, True), (CHECKPOINT_DISTANCE + 1, False)]
)
def test_a_late_touchpoint_keeps_a_checkpoint_before_it_and_drops_one_after_it(
    late_by: int, kept: bool
) -> None:
    timeline = one_by_one(LENGTH)
    checkpoint = folded(timeline).checkpoint
    assert checkpoint is not None
    assert checkpoint[0] == LENGTH - CHECKPOINT_DISTANCE
    give(timeline, touchpoint("home", LENGTH - late_by - 0.5, event_id="late"))
    assert timeline.cached.fold is None
    assert timeline.cached.checkpoint == (checkpoint if kept else None)
    again = fed([entry.touchpoint() for entry in timeline.held()], RULES)
    assert timeline.state(CATALOGUE, RULES) == again.state(CATALOGUE, RULES)


def test_a_short_timeline_gets_no_checkpoint() -> None:
    assert folded(one_by_one(2 * CHECKPOINT_DISTANCE)).checkpoint is None
    assert folded(one_by_one(2 * CHECKPOINT_DISTANCE + 1)).checkpoint is not None


def test_a_checkpoint_leaves_touchpoints_of_one_time_together() -> None:
    timeline = Timeline("default", "p1")
    for number in range(LENGTH):
        give(timeline, touchpoint("home", number // 50, event_id=f"e{number:04}"))
    checkpoint = folded(timeline).checkpoint
    assert checkpoint is not None
    assert checkpoint[0] == first_of_its_time(timeline.order, timeline.order[LENGTH - CHECKPOINT_DISTANCE])
    assert checkpoint[0] % 50 == 0


def test_without_its_oldest_touchpoints_a_fold_goes_on_only_if_it_covers_them() -> None:
    cached = folded(one_by_one(LENGTH))
    assert not CachedFold().begin_later(1)
    assert not cached.begin_later(LENGTH + 1)
    assert (cached.count, cached.checkpoint is None) == (LENGTH, False)
    assert cached.begin_later(100)
    assert (cached.count, cached.checkpoint) == (LENGTH - 100, None)


@pytest.mark.parametrize("seed", range(5))
def test_the_cached_fold_says_what_a_fold_from_the_beginning_says(seed: int) -> None:
    journey = long_journey(seed, 150)
    timeline = Timeline("default", "p1")
    for number, item in enumerate([*journey[::2], *journey[1::2]]):
        give(timeline, item)
        if number % 7 == 0:
            timeline.fold(CATALOGUE, RULES)
    assert timeline.state(CATALOGUE, RULES) == fed(
        journey,
        RULES,
    ).state(CATALOGUE, RULES)
