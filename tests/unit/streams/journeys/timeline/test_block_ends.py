"""Block ends: which of an identifier's touchpoints are beyond the horizon, in tables that can be checked by hand.

The built-in horizon keeps the newest 256 touchpoints, all of the last 30 days, and at most 1,024. A block has 128.
"""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.block_ends import BLOCK, BLOCK_TEXT, block_ends, part_an_instant
from tests.support.journeys import DAY, RULES
from tests.support.journeys_of import law

MINUTE = 60_000
SINGLE, TOGETHER = MINUTE, 0  #: time between two touchpoints of a run


def stamps(*runs: tuple[int, int, int]) -> list[Stamp]:
    """Runs of touchpoints: number, day of the first, milliseconds between two."""
    times = [day * DAY + index * step for number, day, step in runs for index in range(number)]
    return [(at, f"e{index:05}") for index, at in enumerate(sorted(times))]


@pytest.mark.parametrize(
    ("runs", "ends"),
    [
        # 384 - 256 = 128 are beyond the newest 256: one block; one fewer is none
        ([(383, 0, DAY)], []),
        ([(384, 0, DAY)], [128]),
        # 512 - 256 = 256: two blocks; one fewer leaves the second incomplete
        ([(511, 0, DAY)], [128]),
        ([(512, 0, DAY)], [128, 256]),
    ],
)
def test_the_newest_256_touchpoints_are_kept_and_older_ones_are_summed_up_in_whole_blocks_of_128(
    runs: list[tuple[int, int, int]], ends: list[int]
) -> None:
    assert block_ends(stamps(*runs), RULES) == ends


@pytest.mark.parametrize(
    ("runs", "ends"),
    [
        # the newest is 29 days and 255 minutes younger, or exactly 30 days: all are kept
        ([(128, 0, SINGLE), (256, 29, SINGLE)], []),
        ([(128, 0, TOGETHER), (256, 30, TOGETHER)], []),
        # the newest is 30 days and 255 minutes younger than the first of them, 30 days and 128 minutes than the last
        ([(128, 0, SINGLE), (256, 30, SINGLE)], [128]),
        # 300 are beyond the newest 256, but only 150 of these are old: one block
        ([(150, 0, SINGLE), (406, 100, SINGLE)], [128]),
    ],
)
def test_touchpoints_of_the_last_30_days_are_kept(runs: list[tuple[int, int, int]], ends: list[int]) -> None:
    assert block_ends(stamps(*runs), RULES) == ends


@pytest.mark.parametrize(("number", "ends"), [(1151, []), (1152, [128]), (1279, [128]), (1280, [128, 256])])
def test_more_than_1024_touchpoints_are_not_kept_however_young(number: int, ends: list[int]) -> None:
    assert block_ends(stamps((number, 0, SINGLE)), RULES) == ends


@pytest.mark.parametrize(
    ("runs", "ends"),
    [
        # 60 of one time are numbers 100 to 159: they do not fit into the first 128, so the block ends before them
        ([(100, 0, SINGLE), (60, 1, TOGETHER), (256, 100, SINGLE)], [100]),
        # numbers 128 to 187: the block ends before them anyway
        ([(128, 0, SINGLE), (60, 1, TOGETHER), (256, 100, SINGLE)], [128]),
        # numbers 68 to 127: they fit
        ([(68, 0, SINGLE), (60, 1, TOGETHER), (256, 100, SINGLE)], [128]),
        # exactly 128 of one time make a block of their own
        ([(100, 0, SINGLE), (128, 1, TOGETHER), (256, 100, SINGLE)], [100, 228]),
    ],
)
def test_a_block_is_shorter_where_touchpoints_of_one_time_do_not_all_fit(
    runs: list[tuple[int, int, int]], ends: list[int]
) -> None:
    found = stamps(*runs)
    assert block_ends(found, RULES) == ends
    assert not part_an_instant(found, ends)


@pytest.mark.parametrize(
    ("runs", "ends"),
    [
        # 200 of one time: a block of 128 divides them, 72 stay
        ([(200, 0, TOGETHER), (256, 100, SINGLE)], [128]),
        # 300 of one time are numbers 100 to 399: the blocks end at 100, 100 + 128 and 100 + 256
        ([(100, 0, SINGLE), (300, 1, TOGETHER), (256, 100, SINGLE)], [100, 228, 356]),
    ],
)
def test_only_more_than_128_touchpoints_of_one_time_are_divided(
    runs: list[tuple[int, int, int]], ends: list[int]
) -> None:
    found = stamps(*runs)
    assert block_ends(found, RULES) == ends
    assert part_an_instant(found, ends)


RUNS = st.lists(
    st.tuples(st.integers(1, 400), st.integers(0, 60), st.sampled_from([SINGLE, TOGETHER, DAY])),
    min_size=1, max_size=6,
)  # fmt: skip


@law
@given(RUNS, st.integers(1, 500))
def test_newer_touchpoints_add_blocks_and_move_none(runs: list[tuple[int, int, int]], more: int) -> None:
    older = stamps(*runs)
    newer = [(older[-1][0] + (index + 1) * MINUTE, "n") for index in range(more)]
    ends = block_ends(older, RULES)
    assert block_ends([*older, *newer], RULES)[: len(ends)] == ends


@law
@given(RUNS)
def test_the_touchpoints_that_stay_are_not_beyond_the_horizon_by_themselves(
    runs: list[tuple[int, int, int]],
) -> None:
    found = stamps(*runs)
    ends = block_ends(found, RULES)
    assert block_ends(found[max(ends, default=0) :], RULES) == []


@law
@given(RUNS)
def test_a_block_divides_one_time_only_if_it_has_more_than_128_touchpoints(
    runs: list[tuple[int, int, int]],
) -> None:
    found = stamps(*runs)
    if part_an_instant(found, block_ends(found, RULES)):
        assert max(len(list(same)) for _, same in groupby(found, key=lambda stamp: stamp[0])) > BLOCK


KIB = 1024


def ends_of_texts(texts: list[int], step: int = SINGLE) -> list[int]:
    """The block ends of touchpoints with so many characters each."""
    found = stamps((len(texts), 0, step))
    by_place = dict(zip(found, texts, strict=True))
    return block_ends(found, RULES, by_place.__getitem__, sum(texts))


@pytest.mark.parametrize(
    ("number", "kib", "ends"),
    [
        # 1,024 KiB are kept: of 64 KiB each sixteen, and a block of 256 KiB has four
        (16, 64, []),
        (19, 64, []),
        (20, 64, [4]),
        (23, 64, [4]),
        (24, 64, [4, 8]),
        # one touchpoint is a block of its own
        (5, 300, [1, 2]),
        # the newest is kept, however large
        (1, 5000, []),
        (3, 5000, [1, 2]),
        # 4 KiB each: 64 are 256 KiB, far fewer than the 128 of a block
        (256 + 63, 4, []),
        (256 + 64, 4, [64]),
    ],
)
def test_a_mebibyte_of_text_is_kept_and_what_is_older_is_summed_up_in_blocks_of_256_kib(
    number: int, kib: int, ends: list[int]
) -> None:
    assert ends_of_texts([kib * KIB] * number) == ends


def test_text_below_the_most_makes_blocks_shorter_only_where_a_block_reaches_256_kib() -> None:
    heavy = [BLOCK_TEXT // 4] * 4
    assert ends_of_texts([0] * 128 + [1] * 256, DAY) == [128]
    assert ends_of_texts([0] * 60 + heavy + [0] * 64 + [1] * 256, DAY) == [64]
    assert ends_of_texts([0] * 60 + heavy + [0] * 192 + [1] * 256, DAY) == [64, 192]


TEXTS = st.lists(st.sampled_from([0, 0, 200, 9 * KIB, 90 * KIB, BLOCK_TEXT]), min_size=1, max_size=420)


@law
@given(TEXTS, st.integers(0, 420), st.sampled_from([SINGLE, TOGETHER, DAY]))
def test_summing_up_on_the_way_ends_as_summing_up_at_once(texts: list[int], cut: int, step: int) -> None:
    """What was summed up before the rest came, and what is summed up then, are the blocks of the whole."""
    found = stamps((len(texts), 0, step))
    by_place = dict(zip(found, texts, strict=True))

    def ends(places: list[Stamp], extra: int) -> list[int]:
        most = sum(by_place[place] for place in places) + extra
        return block_ends(places, RULES, by_place.__getitem__, most) if places else []

    before = ends(found[:cut], 300 * KIB)  # a timeline knows no less than the sum, and replay the sum
    start = max(before, default=0)
    after = [start + end for end in ends(found[start:], 0)]
    assert before + after == ends(found, 0)
    assert ends(found[max(before + after, default=0) :], 1) == []


@law
@given(TEXTS, st.data())
def test_a_part_of_what_is_within_the_horizon_is_within_it(texts: list[int], data: st.DataObject) -> None:
    """So Transfers may bring a timeline in parts and in any order."""
    found = stamps((len(texts), 0, SINGLE))
    by_place = dict(zip(found, texts, strict=True))
    kept = found[max(block_ends(found, RULES, by_place.__getitem__, sum(texts)), default=0) :]
    part = [place for place in kept if data.draw(st.booleans())]
    if part:
        assert block_ends(part, RULES, by_place.__getitem__, sum(map(by_place.__getitem__, part))) == []
