"""Retries with exponential backoff and jitter while ClickHouse or Kafka is down; logs the first failure only."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential,
    wait_random_exponential,
)

from schemas.errors import SinkError, UnavailableError
from schemas.measures import counter
from schemas.metrics import loader as metrics

RETRIES: Final = counter(metrics.RETRIES)
INITIAL_BACKOFF: Final = 0.1  #: seconds
MAX_BACKOFF: Final = 5.0  #: seconds: a server that is back waits no longer than this for the next attempt

T = TypeVar("T")
_log = logging.getLogger("touchline.loader")


async def until_done(action: Callable[[], Awaitable[object]], give_up: asyncio.Event) -> bool:
    """Repeat `action` while it raises SinkError or UnavailableError; returns whether it was done.

    It tries at least once, and stops trying once `give_up` is set. Waits double from INITIAL_BACKOFF to MAX_BACKOFF.
    Half of each wait is drawn as jitter. The first failure and the recovery are logged, the failures between are not.
    """
    number = 1
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type((SinkError, UnavailableError)),
        wait=wait_exponential(multiplier=INITIAL_BACKOFF / 2, max=MAX_BACKOFF / 2)
        + wait_random_exponential(multiplier=INITIAL_BACKOFF / 2, max=MAX_BACKOFF / 2),
        sleep=partial(_wait_for, give_up),
        before_sleep=_note_failure,
    ):
        number = attempt.retry_state.attempt_number
        if number > 1 and give_up.is_set():
            return False
        with attempt:
            await action()
    if number > 1:
        _log.info("it answers again: going on")
    return True


async def result_of(work: Callable[[], T], give_up: asyncio.Event) -> T | None:
    """The result of `work` in a thread, repeated as `until_done` does; None if it gave up."""
    found: list[T] = []

    async def attempt() -> None:
        found.append(await asyncio.to_thread(work))

    return found[0] if await until_done(attempt, give_up) else None


def _note_failure(state: RetryCallState) -> None:
    RETRIES.inc()
    if state.attempt_number == 1 and state.outcome is not None:
        _log.warning("%s; holding the data back and trying again", state.outcome.exception())


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, for at most so many seconds."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
