"""Do it until it is done: patience with a server that is down, without drowning it or the log."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.errors import SinkError, UnavailableError

FIRST_WAIT: Final = 0.1  #: seconds
LONGEST_WAIT: Final = 5.0  #: seconds: how long after its return a server may wait for us

_log = logging.getLogger("touchline.loader")


async def until_done(action: Callable[[], Awaitable[object]], give_up: asyncio.Event) -> bool:
    """Repeat `action` while it raises SinkError or UnavailableError; returns whether it was done.

    It is tried at least once, and given up once `give_up` is set. Waits double from FIRST_WAIT to
    LONGEST_WAIT, with jitter. The first failure and the recovery are logged, the failures between are not.
    """
    wait = FIRST_WAIT
    while True:
        try:
            await action()
        except (SinkError, UnavailableError) as error:
            if wait == FIRST_WAIT:
                _log.warning("%s; holding the data back and trying again", error)
        else:
            if wait > FIRST_WAIT:
                _log.info("it answers again: going on")
            return True
        if give_up.is_set() or await _is_set_within(give_up, random.uniform(wait / 2, wait)):  # noqa: S311 - no secret
            return False
        wait = min(wait * 2, LONGEST_WAIT)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
