"""A client's clock is corrected as Segment specifies, and an event that is sent again keeps its time."""

from hypothesis import given
from hypothesis import strategies as st

from streams.collect.clocks import corrected

MINUTE = 60_000
HOUR = 60 * MINUTE
T = 1_767_225_600_000

times = st.integers(T - 10**12, T + 10**11)


@given(times, times, times)
def test_without_tolerance_it_is_the_specifications_formula(original: int, sent: int, received: int) -> None:
    assert corrected(original, sent, received, 0) == received - (sent - original)


@given(st.integers(-HOUR, 0), st.integers(0, 59_000), st.integers(0, 59_000))
def test_a_clock_within_the_tolerance_is_believed_however_long_the_way(
    ago: int, way: int, retried: int
) -> None:
    assert corrected(T + ago, T, T + way, 60) == corrected(T + ago, T, T + retried, 60) == T + ago


@given(st.integers(-48 * HOUR, 48 * HOUR), times)
def test_a_wrong_clock_is_corrected_to_half_the_tolerance_or_less(off: int, original: int) -> None:
    found = corrected(original + off, T + off, T, 60)

    assert abs(found - original) <= (MINUTE if abs(off) <= MINUTE else MINUTE // 2)


def test_a_clock_that_is_a_day_ahead_gives_times_that_have_happened() -> None:
    assert corrected(T + 24 * HOUR - 5_000, T + 24 * HOUR, T + 300, 60) == T - 5_000


def test_a_retry_with_a_wrong_clock_gives_the_same_time() -> None:
    first = corrected(T + 3 * HOUR, T + 3 * HOUR + 1_000, T + 1_050, 60)
    again = corrected(T + 3 * HOUR, T + 3 * HOUR + 9_000, T + 11_700, 60)

    assert first == again == T
