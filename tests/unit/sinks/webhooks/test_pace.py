"""Backoff and circuit breaker, by an injected clock."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.webhooks.endpoints import DAY_MS, Retries
from sinks.webhooks.pace import FAILURES, FIRST_OPEN_MS, LONGEST_OPEN_MS, Breaker, delay
from sinks.webhooks.verdicts import Reason, Verdict, of_http
from tests.support.webhooks import NOW

DOWN, WELL = Verdict(Reason.TIMEOUT), Verdict(None, 200)


def failed(times: int, breaker: Breaker | None = None) -> Breaker:
    breaker = breaker or Breaker()
    for _ in range(times):
        breaker.begin()
        breaker.finish(DOWN, NOW, 1.0)
    return breaker


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_doubles_up_to_its_limit_less_at_most_half(attempts: int, chance: float) -> None:
    retries = Retries(1000, 60_000, DAY_MS)
    whole = min(60_000, 1000 * 2 ** min(attempts - 1, 30))
    assert whole / 2 - 1 <= delay(retries, attempts, chance) <= whole


def test_the_default_schedule_reaches_over_days() -> None:
    retries, passed, attempts = Retries(), 0, 0
    while passed < retries.give_up_ms:
        attempts += 1
        passed += delay(retries, attempts, 0.5)
    assert 80 <= attempts <= 120


def test_failures_in_a_row_open_the_circuit_and_one_probe_closes_or_reopens_it() -> None:
    breaker = failed(FAILURES - 1)
    assert breaker.wait(NOW) is None
    failed(1, breaker)
    assert breaker.wait(NOW) == NOW + FIRST_OPEN_MS

    later = NOW + FIRST_OPEN_MS
    assert breaker.wait(later) is None
    breaker.begin()
    assert breaker.wait(later) is not None, "one probe at a time"
    breaker.finish(DOWN, later, 1.0)
    assert breaker.wait(later) == later + 2 * FIRST_OPEN_MS
    latest = later + 2 * FIRST_OPEN_MS
    breaker.begin()
    breaker.finish(WELL, latest, 1.0)
    assert breaker.wait(latest) is None
    assert not breaker.is_open
    assert failed(FAILURES - 1, breaker).wait(latest) is None, "it counts anew"


def test_a_circuit_is_never_open_for_longer_than_its_limit() -> None:
    breaker, now = failed(FAILURES), NOW
    for _ in range(30):
        now = breaker.open_until
        breaker.begin()
        breaker.finish(DOWN, now, 1.0)
    assert breaker.open_until - now == LONGEST_OPEN_MS


def test_answers_to_attempts_that_began_before_it_opened_do_not_open_it_further() -> None:
    breaker = failed(FAILURES)
    assert failed(20, breaker).open_until == NOW + FIRST_OPEN_MS


def test_a_refusal_of_one_message_shows_a_receiver_that_works() -> None:
    breaker = failed(FAILURES - 1)
    breaker.finish(of_http(400), NOW, 1.0)
    assert breaker.failures == 0


def test_a_receiver_may_ask_for_a_pause_but_not_for_years() -> None:
    breaker = Breaker()
    breaker.finish(of_http(429, retry_after_ms=90_000), NOW, 1.0)
    assert breaker.wait(NOW + 89_999) == NOW + 90_000
    assert breaker.wait(NOW + 90_000) is None
    breaker.finish(of_http(503, retry_after_ms=10**12), NOW, 1.0)
    assert breaker.open_until == NOW + DAY_MS


def test_a_cancelled_probe_lets_the_next_one_go() -> None:
    breaker = failed(FAILURES)
    breaker.begin()
    breaker.abandon()
    assert breaker.wait(NOW + FIRST_OPEN_MS) is None


def test_410_stops_the_endpoint() -> None:
    breaker = Breaker()
    breaker.finish(of_http(410), NOW, 1.0)
    assert breaker.stopped
