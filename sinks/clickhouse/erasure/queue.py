"""When a loader carries erasures out: once all processes have answered, again a minute later, after a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import ERASE
from schemas.errors import ContractError, SinkError, UnavailableError
from schemas.topics import Topic
from sinks.clickhouse.erasure.barrier import Barrier, Positions
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.receipts import Erasure
from sinks.clickhouse.retry import until_done

POLL_SECONDS: Final = 0.5  #: between two looks at the positions of the consumer groups
TELL_SECONDS: Final = 2.0  #: between two notes of what an erasure waits for
RETRY_SECONDS: Final = 2.0  #: after ClickHouse or Kafka did not answer
AGAIN_SECONDS: Final = 60.0  #: from the deletion to the look for rows that were in flight
LOOK_SECONDS: Final = 30.0  #: between later looks whether the files of deleted rows are gone
RECALL_SECONDS: Final = 60.0  #: between two reads of the erasures that other loaders accepted

_Name: TypeAlias = tuple[str, str, str, str]
_log = logging.getLogger("touchline.loader")


@dataclass(slots=True)
class _Work:
    """What is left to do for an erasure."""

    erasure: Erasure
    due: float
    done: bool = False  #: whether its receipt is
    barrier: Barrier = field(default_factory=Barrier)
    tell_at: float = 0.0


class ErasureQueue:
    """The erasures of one loader; `clock` counts seconds, `positions` asks Kafka and may raise UnavailableError."""

    def __init__(
        self, eraser: Eraser, positions: Callable[[], Positions], clock: Callable[[], float]
    ) -> None:
        self._eraser = eraser
        self._positions = positions
        self._clock = clock
        self._open: dict[_Name, _Work] = {}
        self._working: asyncio.Task[None] | None = None
        self._recall_at: float | None = None  #: None before the first recall

    @property
    def erased(self) -> Erased:
        """The erased identifiers."""
        return self._eraser.erased

    async def accept(self, asked: Sequence[Erasure], give_up: asyncio.Event) -> bool:
        """Store the erasures of a batch. Returns whether they are durable and all earlier erasures are known."""
        if self._recall_at is None and not await until_done(self._recall, give_up):
            return False
        if asked and not await until_done(partial(asyncio.to_thread, self._eraser.accept, asked), give_up):
            return False
        for one in asked:
            self._open[_name(one)] = _Work(one, self._clock())
        return True

    def work(self) -> None:
        """Start what is due, beside loading. Raises the SettingsError that ended the last attempt."""
        if self._working is not None and self._working.done():
            self._working.result()
            self._working = None
        now = self._clock()
        dues = [work.due for work in self._open.values()]
        if self._recall_at is not None:
            dues.append(self._recall_at)
        if self._working is None and min(dues, default=now + 1) <= now:
            self._working = asyncio.create_task(self._do(now))

    async def stop(self) -> None:
        """Wait for the erasure that is running. The next loader recalls the others."""
        if self._working is not None:
            await asyncio.wait({self._working})

    async def _do(self, now: float) -> None:
        """Do what is due. An erasure stays due while ClickHouse or Kafka is down."""
        try:
            if self._recall_at is not None and now >= self._recall_at:
                await self._recall()
            due = [(name, work) for name, work in self._open.items() if work.due <= now]
            if any(not work.done for _, work in due):
                positions = await asyncio.to_thread(self._positions)
            for name, work in due:
                if work.done:
                    await self._look_again(name, work)
                else:
                    await self._carry_out(work, positions)
        except (SinkError, UnavailableError) as error:
            _log.info("%s; erasures wait", error)
            later = self._clock() + RETRY_SECONDS
            self._recall_at = later
            for work in self._open.values():
                work.due = max(work.due, later)

    async def _carry_out(self, work: _Work, positions: Positions) -> None:
        """Carry an erasure out if all processes have answered it, else note what it waits for."""
        if work.barrier.passes(positions):
            await asyncio.to_thread(self._eraser.carry_out, work.erasure)
            work.done, work.due = True, self._clock() + AGAIN_SECONDS
            return
        now = self._clock()
        work.due = now + POLL_SECONDS
        if now >= work.tell_at:
            work.tell_at = now + TELL_SECONDS
            await asyncio.to_thread(self._eraser.tell, work.erasure, work.barrier.waits_for)

    async def _look_again(self, name: _Name, work: _Work) -> None:
        work.due = self._clock() + LOOK_SECONDS
        if await asyncio.to_thread(self._eraser.look_again, work.erasure):
            self._open.pop(name, None)

    async def _recall(self) -> None:
        """Learn what this and other loaders erased, and schedule the requests that nobody has finished."""
        first = self._recall_at is None
        unfinished = await asyncio.to_thread(self._eraser.recall)
        now = self._clock()
        for one, done in unfinished:
            due = now if first and not done else now + AGAIN_SECONDS
            self._open.setdefault(_name(one), _Work(one, due, done))
        self._recall_at = now + RECALL_SECONDS


def _name(one: Erasure) -> _Name:
    return one.tenant, one.request_id, one.type, one.value


def requested(
    records: Iterable[tuple[Topic, KafkaRecord]], check: Callable[[str, Any, KafkaRecord], None]
) -> list[Erasure]:
    """The erasures that a batch of records asks for. `check` raises ContractError for a record that none may follow."""
    found = []
    for topic, record in records:
        if topic is topics.JOURNEY_INPUTS and record.value is not None and ERASE.recognises(record.value):
            try:
                erase = ERASE.decode(record.value)
                check("Erase", erase, record)
            except ContractError as error:
                _log.warning("the Erase at offset %d erases nothing: %s", record.offset, error.reason)
            else:
                erasure = Erasure.of(erase)
                if erasure is not None:
                    found.append(erasure)
    return found
