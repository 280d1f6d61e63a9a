"""Answers shared by all viewers: fifty open pages ask ClickHouse what one asks."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from schemas.errors import TouchlineError

#: Seconds for which an answer is shared, at least; an answer that took long is shared for FACTOR times as long, so
#: that a panel keeps ClickHouse busy for at most a fifth of the time, however many look at it.
SHARED_SECONDS: Final = 1.0
FACTOR: Final = 4.0
KEPT: Final = 1_000  #: answers at most


@dataclass
class Answer:
    """A value or the error in its place, and for how long it is shared."""

    value: Any
    error: TouchlineError | None
    until: float  #: on the cache's clock

    def get(self) -> Any:
        """The value. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Answers:
    """A cache in which every question is asked once at a time. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[Hashable, Answer] = OrderedDict()
        self._asked: dict[Hashable, asyncio.Task[Answer]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def get(
        self, key: Hashable, produce: Callable[[], Awaitable[Any]], shared: float = SHARED_SECONDS
    ) -> Answer:
        """The shared answer to `key`, or a new one by `produce`, then shared for at least `shared` seconds.

        A viewer who leaves does not stop it for others.
        """
        known = self._known.get(key)
        if known is not None and known.until > self._clock():
            return known
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._produce(key, produce, shared))
        return await asyncio.shield(task)

    def remaining(self, answer: Answer) -> float:
        """Seconds until a newer answer can be had."""
        return max(0.0, answer.until - self._clock())

    async def _produce(self, key: Hashable, produce: Callable[[], Awaitable[Any]], shared: float) -> Answer:
        began = self._clock()
        try:
            answer = Answer(await produce(), None, 0.0)
        except TouchlineError as error:
            answer = Answer(None, error, 0.0)
        finally:
            del self._asked[key]
        took = self._clock() - began
        answer.until = self._clock() + (
            max(shared, FACTOR * took) if answer.error is None else SHARED_SECONDS
        )
        self._known[key] = answer
        self._known.move_to_end(key)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return answer
