"""The limit on a key's events: a burst, then the rate, and never a batch that can never be sent."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.http.rate import BURST_SECONDS, TokenBucket


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 300)), min_size=1, max_size=50), st.floats(1, 100))
def test_over_any_time_a_key_sends_its_rate_a_burst_and_one_batch_at_most(
    steps: list[tuple[float, int]], rate: float
) -> None:
    bucket, now, sent = TokenBucket(rate, 0.0), 0.0, 0
    for pause, events in steps:
        now += pause
        if bucket.take(events, now) == 0:
            sent += events

    assert sent <= rate * (now + BURST_SECONDS) + 300


@given(st.integers(1, 100_000), st.floats(0.5, 1000))
def test_who_waits_as_long_as_told_is_let_in(events: int, rate: float) -> None:
    bucket, now = TokenBucket(rate, 0.0), 0.0
    assert bucket.take(events, now) == 0
    wait = bucket.take(1, now)
    if wait:
        assert bucket.take(1, now + wait + 0.001) == 0


def test_a_batch_larger_than_the_burst_is_taken_and_paid_off() -> None:
    bucket = TokenBucket(10, 0.0)

    assert bucket.take(1_000, 0.0) == 0
    assert bucket.take(1, 0.0) == 90
    assert bucket.take(1, 91.0) == 0
