import asyncio
import logging

import pytest

from schemas.errors import SettingsError, SinkError, TouchlineError
from sinks.clickhouse import retry
from sinks.clickhouse.retry import until_done


class Flaky:
    """An action that fails a number of times."""

    def __init__(self, failures: int, error: TouchlineError) -> None:
        self.left, self.error, self.calls = failures, error, 0

    async def __call__(self) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "INITIAL_BACKOFF", 0.001)


def test_it_is_repeated_until_it_is_done_and_an_outage_is_two_log_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    action = Flaky(4, SinkError("ClickHouse is resting"))

    assert asyncio.run(until_done(action, asyncio.Event()))

    assert action.calls == 5
    assert [record.getMessage() for record in caplog.records] == [
        "ClickHouse is resting; holding the data back and trying again",
        "it answers again: going on",
    ]


def test_it_is_tried_once_even_when_already_given_up() -> None:
    async def given_up() -> tuple[bool, bool]:
        event = asyncio.Event()
        event.set()
        return await until_done(Flaky(0, SinkError("x")), event), await until_done(
            Flaky(9, SinkError("x")), event
        )

    assert asyncio.run(given_up()) == (True, False)


def test_an_error_that_only_the_user_can_mend_is_not_retried() -> None:
    with pytest.raises(SettingsError, match="wrong password"):
        asyncio.run(until_done(Flaky(1, SettingsError("wrong password")), asyncio.Event()))


def test_giving_up_during_a_wait_ends_it_without_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "INITIAL_BACKOFF", 60.0)
    monkeypatch.setattr(retry, "MAX_BACKOFF", 60.0)
    action = Flaky(9, SinkError("x"))

    async def given_up_later() -> bool:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, event.set)
        return await asyncio.wait_for(until_done(action, event), 5)

    assert not asyncio.run(given_up_later())
    assert action.calls == 1
