"""Each answer means one thing, and the list of final ones is closed."""

import pytest

from sinks.webhooks.http_sender import retry_after
from sinks.webhooks.verdicts import Reason, of_http, of_mail


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_confirms_is_final_or_is_tried_again(status: int) -> None:
    verdict = of_http(status)

    assert verdict.confirmed == (200 <= status < 300)
    assert verdict.final == (400 <= status < 500 and status not in (408, 429))
    assert verdict.unsure == (status >= 500 or status < 200), "the effect may have come before the failure"


def test_410_alone_is_gone() -> None:
    assert {status for status in range(100, 600) if of_http(status).reason is Reason.GONE} == {410}


def test_a_mail_that_is_refused_for_ever_is_final_and_any_other_is_not() -> None:
    assert of_mail(550, "no such user").final
    assert not of_mail(451, "greylisted").final
    assert not of_mail(451, "greylisted").unsure


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("120", 0) == 120_000
    assert retry_after(" 0 ", 0) == 0
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10) == 50_000
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 100) == 0
    for nonsense in (None, "", "soon", "-5", "1.5", "٣", "Thu, 99 Foo"):
        assert retry_after(nonsense, 0) is None
    assert retry_after("9" * 5000, 0) == 999_999_999_000
