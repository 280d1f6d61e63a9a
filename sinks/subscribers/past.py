"""What a reader of a stream lacks and the window no longer has: read again, up to where the window begins."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas.errors import ContractError, TouchlineError, UnavailableError
from schemas.kafka_client import client_options, started
from schemas.settings import Settings
from sinks.subscribers.events import READERS, TOPICS, state_event
from sinks.subscribers.table.store import StateTable
from sinks.subscribers.window import Cursor, Told, Vector

_AT_ONCE: Final = 200
_FETCH_MS: Final = 500
_STALL_SECONDS: Final = 30.0
TURN_SECONDS: Final = 5.0  #: after which a reader lets another one read the past, if one waits


class LostError(TouchlineError):
    """Kafka no longer has what a reader lacks. Response: tell the reader, end its stream."""


class Past(Protocol):
    """Reads on for a cursor."""

    def read(self, cursor: Cursor, until: Vector) -> AsyncGenerator[list[Told], None]:
        """Events that the cursor lacks, up to `until`; moves its positions there, or as far as its turn lasts.

        Raises LostError, and UnavailableError without an answer.
        """


class TablePast:
    """The past of states: the table has the newest state of each profile, with its offset."""

    def __init__(self, table: StateTable) -> None:
        self._table = table

    async def read(self, cursor: Cursor, until: Vector) -> AsyncGenerator[list[Told], None]:
        """As Past."""
        for partition, end in enumerate(until):
            while (start := cursor.positions[partition]) < end:
                entries = await asyncio.to_thread(self._table.states_from, partition, start, end, _AT_ONCE)
                told = []
                for entry in entries:
                    _move(cursor, partition, entry.offset + 1)
                    event = state_event(entry)
                    if cursor.wanted.passes(event):
                        told.append(Told(event, cursor.positions))
                if len(entries) < _AT_ONCE:
                    _move(cursor, partition, end)
                yield told


class KafkaPast:
    """The past of signals or changes: their topic, by a consumer of its own. A semaphore bounds how many there are.

    A reader that takes slowly gives its turn up: `read` ends before `until` then, and is asked again.
    """

    def __init__(self, settings: Settings, stream: str, turn: asyncio.Semaphore) -> None:
        self._settings = settings
        self._topic = settings.topic(TOPICS[stream].name)
        self._event = READERS[stream]
        self._turn = turn

    async def read(self, cursor: Cursor, until: Vector) -> AsyncGenerator[list[Told], None]:
        """As Past."""
        async with self._turn:
            consumer = AIOKafkaConsumer(
                **client_options(self._settings), group_id=None, enable_auto_commit=False,
                auto_offset_reset="none", fetch_max_wait_ms=_FETCH_MS,
            )  # fmt: skip
            try:
                async with started(consumer):
                    async for told in self._read(consumer, cursor, until):
                        yield told
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                raise LostError(
                    f"{self._topic} no longer has what comes after this event id: start again"
                ) from error
            except (KafkaError, OSError, TimeoutError) as error:
                raise UnavailableError(f"Kafka does not answer: {error}") from error

    async def _read(
        self, consumer: AIOKafkaConsumer, cursor: Cursor, until: Vector
    ) -> AsyncGenerator[list[Told], None]:
        lacking = {
            TopicPartition(self._topic, partition): end
            for partition, end in enumerate(until)
            if cursor.positions[partition] < end
        }
        consumer.assign(list(lacking))
        for one in lacking:
            consumer.seek(one, cursor.positions[one.partition])
        loop = asyncio.get_running_loop()
        began = moved_at = loop.time()
        while any(cursor.positions[one.partition] < end for one, end in lacking.items()):
            fetched = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=_AT_ONCE)
            before, told = cursor.positions, []
            for one, records in fetched.items():
                for record in records:
                    if record.offset >= lacking[one]:
                        break
                    _move(cursor, one.partition, record.offset + 1)
                    try:
                        event = self._event(record)
                    except ContractError:
                        continue  # the loader accounts for it
                    if cursor.wanted.passes(event):
                        told.append(Told(event, cursor.positions))
            for one, end in lacking.items():
                _move(cursor, one.partition, min(await consumer.position(one), end))
            if cursor.positions != before:
                moved_at = loop.time()
            elif loop.time() - moved_at > _STALL_SECONDS:
                raise UnavailableError("Kafka does not answer")
            yield told
            if self._turn.locked() and loop.time() - began > TURN_SECONDS:
                return


def _move(cursor: Cursor, partition: int, offset: int) -> None:
    if offset > cursor.positions[partition]:
        positions = list(cursor.positions)
        positions[partition] = offset
        cursor.positions = tuple(positions)
