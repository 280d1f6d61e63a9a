"""The soak's judge: it sees a leak under noise, and takes neither a restart nor a bounded cache for one."""

from random import Random

import pytest

from tests.soak.growth import SERIES, Pace, Point, Series, by_the_minute, judge, pace_of, slope
from tests.soak.sampling import Sample

LOADER = next(series for series in SERIES if series.name == "loader's memory")
RESTART = 1800.0


def samples(leak: float, step: float = 0.0, hours: float = 1.0) -> list[Sample]:
    """A loader of 100 MiB under noise that leaks MiB an hour; a restart puts it to another level."""
    random = Random(1)
    found = []
    for at in range(0, int(hours * 3600), 10):
        second = at >= RESTART
        value = 100 + leak * at / 3600 + random.gauss(0, 4) + (step if second else 0)
        process = None if RESTART <= at < RESTART + 20 else {"pid": 1 + second, "anon_mib": value}
        found.append(
            {"at": float(at), "published": at * 200, "profiles": 5_000, "processes": {"loader": process}}
        )
    return found


def grown(found: list[Sample], series: Series = LOADER):
    return judge(series, found, Pace(720_000, 0), warm_up=600)


@pytest.mark.parametrize("step", [0.0, -60.0, 60.0])
def test_a_leak_is_seen_whatever_a_restart_does_to_the_level(step: float) -> None:
    growth = grown(samples(leak=60, step=step))
    assert growth.slope == pytest.approx(60, abs=15)
    assert not growth.right


@pytest.mark.parametrize("step", [0.0, -60.0, 60.0])
def test_a_process_that_stays_as_it_is_passes_also_after_a_restart(step: float) -> None:
    growth = grown(samples(leak=0, step=step))
    assert growth.slope == pytest.approx(0, abs=10)
    assert growth.right


def test_what_nobody_could_measure_does_not_pass() -> None:
    growth = grown([{**one, "processes": {"loader": None}} for one in samples(0)])
    assert growth.slope is None
    assert not growth.right


def test_what_comes_in_is_counted_for_the_bounds_that_depend_on_it() -> None:
    assert pace_of(samples(0), warm_up=600) == Pace(pytest.approx(720_000), 0.0)
    assert Pace(1_000_000, 0).kept_mib(10, 99) == pytest.approx(2 * 10_000_000 / 2**20)


def test_points_of_one_minute_become_one() -> None:
    assert by_the_minute([Point(0, 1), Point(10, 5), Point(20, 2), Point(70, 9)]) == [
        Point(0, 2),
        Point(60, 9),
    ]
    assert slope([Point(0, 1)]) is None
