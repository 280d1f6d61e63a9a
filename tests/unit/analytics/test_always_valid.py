"""What the sequential interval of experiment_results promises: one may look as often as one likes.

tests/integration/test_question_truth.py compares the view with tests/support/intervals.py, number by number.
"""

from random import Random

from tests.support.intervals import always_valid_width, newcombe

EXPERIMENTS = 150
LOOKS = 40
PEOPLE = 50  #: of each variant between two looks


def false_alarms() -> tuple[int, int]:
    """Experiments without an effect that an impatient reader stops, by the fixed and by the sequential interval."""
    random = Random(3)
    fixed = sequential = 0
    for _ in range(EXPERIMENTS):
        one = other = trials = 0
        stopped_fixed = stopped_sequential = False
        for _ in range(LOOKS):
            trials += PEOPLE
            one += _binomial(random)
            other += _binomial(random)
            low, high = newcombe(one, trials, other, trials)
            stopped_fixed |= low > 0 or high < 0
            width = always_valid_width(one, trials, other, trials, tau=0.05)
            stopped_sequential |= abs(one - other) / trials > width
        fixed += stopped_fixed
        sequential += stopped_sequential
    return fixed, sequential


def _binomial(random: Random) -> int:
    return sum(random.random() < 0.3 for _ in range(PEOPLE))


def test_who_looks_after_every_fifty_people_is_misled_by_the_fixed_interval_and_not_by_the_sequential_one() -> (
    None
):
    fixed, sequential = false_alarms()
    assert sequential <= 0.05 * EXPERIMENTS
    assert fixed > 0.15 * EXPERIMENTS


def test_the_sequential_interval_finds_an_effect_that_is_there() -> None:
    width = always_valid_width(900, 2000, 700, 2000, tau=0.05)
    assert 0 < width < 900 / 2000 - 700 / 2000


def test_the_sequential_interval_is_wider_than_the_fixed_one_at_any_size() -> None:
    for trials in (10, 100, 1000, 100_000):
        low, high = newcombe(trials // 3, trials, trials // 4, trials)
        assert 2 * always_valid_width(trials // 3, trials, trials // 4, trials, tau=0.05) > high - low
