"""Schedules erasures: seconds after they were accepted, again a minute later, and after a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import ERASE
from schemas.errors import ContractError, SinkError, UnavailableError
from schemas.topics import Topic
from sinks.clickhouse.erasure.erasure import Erased, Eraser, Erasure
from sinks.clickhouse.retry import until_done

#: From the Erase to the deletion of its rows. Meanwhile workers publish the corrected journeys.
SETTLE_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 60.0  #: from the first deletion to the second, of rows that were in flight
RECALL_SECONDS: Final = 60.0  #: between two reads of the erasures that other loaders accepted

_log = logging.getLogger("touchline.loader")


class ErasureQueue:
    """The erasures of one loader; `clock` counts seconds."""

    def __init__(self, eraser: Eraser, clock: Callable[[], float]) -> None:
        self._eraser = eraser
        self._clock = clock
        self._due: dict[
            Erasure, tuple[float, bool]
        ] = {}  #: when it is due, and whether a second deletion follows
        self._working: asyncio.Task[None] | None = None
        self._recall_at: float | None = None  #: None before the first recall

    @property
    def erased(self) -> Erased:
        """The erased identifiers."""
        return self._eraser.erased

    async def accept(self, records: Iterable[tuple[Topic, KafkaRecord]], give_up: asyncio.Event) -> bool:
        """Store the erasures of a batch. Returns whether they are durable and all earlier erasures are known."""
        if self._recall_at is None and not await until_done(self._recall, give_up):
            return False
        asked = requested(records)
        if asked and not await until_done(partial(asyncio.to_thread, self._eraser.accept, asked), give_up):
            return False
        for one in asked:
            self._due[one] = self._clock() + SETTLE_SECONDS, True
        return True

    def work(self) -> None:
        """Start the erasures that are due, beside loading. Raises the SettingsError that ended the last attempt."""
        if self._working is not None and self._working.done():
            self._working.result()
            self._working = None
        now = self._clock()
        dues = [due for due, _ in self._due.values()]
        if self._recall_at is not None:
            dues.append(self._recall_at)
        if self._working is None and min(dues, default=now + 1) <= now:
            self._working = asyncio.create_task(self._carry_out(now))

    async def stop(self) -> None:
        """Wait for the erasure that is running. The next loader recalls the others."""
        if self._working is not None:
            await asyncio.wait({self._working})

    async def _carry_out(self, now: float) -> None:
        """Carry out what is due. An erasure stays due while ClickHouse is down."""
        try:
            if self._recall_at is not None and now >= self._recall_at:
                await self._recall()
            for one, (due, again) in list(self._due.items()):
                if due <= now:
                    await asyncio.to_thread(self._eraser.carry_out, one)
                    del self._due[one]
                    if again:
                        self._due[one] = self._clock() + AGAIN_SECONDS, False
        except (SinkError, UnavailableError) as error:
            _log.info("%s; erasures wait", error)
            later = self._clock() + SETTLE_SECONDS
            self._recall_at = later
            self._due = {one: (max(due, later), again) for one, (due, again) in self._due.items()}

    async def _recall(self) -> None:
        """Learn what this and other loaders erased, and schedule the requests that nobody has finished."""
        first = self._recall_at is None
        open_requests = await asyncio.to_thread(self._eraser.recall)
        now = self._clock()
        for one in open_requests:
            self._due.setdefault(one, (now + (SETTLE_SECONDS if first else AGAIN_SECONDS), True))
        self._recall_at = now + RECALL_SECONDS


def requested(records: Iterable[tuple[Topic, KafkaRecord]]) -> list[Erasure]:
    """The erasures that a batch of records asks for."""
    found = []
    for topic, record in records:
        if topic is topics.JOURNEY_INPUTS and record.value is not None and ERASE.recognises(record.value):
            try:
                erasure = Erasure.of(ERASE.decode(record.value))
            except ContractError as error:
                _log.warning("an Erase at offset %d cannot be read: %s", record.offset, error)
            else:
                if erasure is not None:
                    found.append(erasure)
    return found
