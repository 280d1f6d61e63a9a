"""Retries with exponential backoff and jitter while a server is down, and logs each outage twice only."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.errors import SinkError, UnavailableError

INITIAL_BACKOFF: Final = 0.1  #: seconds
MAX_BACKOFF: Final = 5.0  #: seconds: a server that is back waits no longer than this for the next attempt

_log = logging.getLogger("touchline.loader")


async def until_done(action: Callable[[], Awaitable[object]], give_up: asyncio.Event) -> bool:
    """Repeat `action` while it raises SinkError or UnavailableError; returns whether it was done.

    It tries at least once, and stops trying once `give_up` is set. The backoff doubles from INITIAL_BACKOFF to
    MAX_BACKOFF, with jitter. The first failure and the recovery are logged, the failures between are not.
    """
    backoff = INITIAL_BACKOFF
    while True:
        try:
            await action()
        except (SinkError, UnavailableError) as error:
            if backoff == INITIAL_BACKOFF:
                _log.warning("%s; holding the data back and trying again", error)
        else:
            if backoff > INITIAL_BACKOFF:
                _log.info("it answers again: going on")
            return True
        if give_up.is_set() or await _is_set_within(give_up, random.uniform(backoff / 2, backoff)):  # noqa: S311 - no secret
            return False
        backoff = min(backoff * 2, MAX_BACKOFF)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
