"""Finds changelog records that a former owner of a partition wrote after this worker had recovered it.

A worker that was stopped or cut off past its session (a zombie) does not know that its partitions have another owner.
What it still writes is missing in the new owner's memory, and takes the place of the new owner's records in the
compacted changelog. The new owner therefore looks at the end of its changelogs now and then.

Only the journeys agent needs this. The records of the other agents' changelogs are merged, whoever wrote them: the
earliest evidence, the newest assignment and the newest contribution count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.kafka_client import client_options
from schemas.settings import Settings

R = TypeVar("R")
#: Looks that must find the same unknown records before they count. A zombie that wakes sees the new owner's records
#: as unknown; with one look per heartbeat interval it learns from the group that it is a zombie before it acts.
LOOKS: Final = 3
TIMEOUT_SECONDS: Final = 30.0


class ForeignWrites:
    """Which changelog partitions hold records that their owner does not know."""

    def __init__(self) -> None:
        #: by partition: the last offset that its owner knew when unknown records were first seen, and how often since
        self._seen: dict[int, tuple[int, int]] = {}

    def confirmed(self, known: dict[int, int], ends: dict[int, int]) -> list[int]:
        """Partitions whose unknown records have been seen LOOKS times in a row.

        `known`: the last offset in the owner's memory, -1 for none; `ends`: the offset after the last record. An owner
        whose own records are on their way learns of them before long, so its last known offset advances between looks.
        """
        seen = {}
        for partition, last in known.items():
            if ends.get(partition, 0) > last + 1:
                before, looks = self._seen.get(partition, (last, 0))
                seen[partition] = last, looks + 1 if before == last else 1
        self._seen = seen
        return [partition for partition, (_, looks) in seen.items() if looks >= LOOKS]


class LogReader:
    """Reads ends and records of topic partitions beside the consumer group."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()  #: agents and timers ask: one connects, and reads records, at a time

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """By partition, the offset after the last record. Returns nothing if the broker does not answer in time.

        The sandbox's broker answers with the offset after the *first* record of the last batch.
        """
        tps = [TopicPartition(topic, partition) for partition in partitions]

        async def ask(consumer: AIOKafkaConsumer) -> dict[int, int]:
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}

        return await self._ask(ask) or {}

    async def read(self, topic: str, partition: int, start: int) -> list[Any] | None:
        """All records of a partition from an offset on. Returns None if the broker does not answer in time."""
        return await self._read(TopicPartition(topic, partition), start)

    async def record_at(self, topic: str, partition: int, offset: int) -> Any | None:
        """The record at an offset. Returns None if there is none any more, or if the broker does not answer in time."""
        found = await self._read(TopicPartition(topic, partition), offset, most=1)
        return found[0] if found and found[0].offset == offset else None

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def _read(self, tp: TopicPartition, start: int, most: int | None = None) -> list[Any] | None:
        """The records from an offset on: all, or the first `most`. Returns None as `read` does."""

        async def ask(consumer: AIOKafkaConsumer) -> list[Any]:
            found: list[Any] = []
            consumer.assign([tp])
            consumer.seek(tp, start)
            while (most is None or len(found) < most) and (
                (end := consumer.highwater(tp)) is None or await consumer.position(tp) < end
            ):
                for records in (await consumer.getmany(tp, timeout_ms=50, max_records=most)).values():
                    found += records
            consumer.assign([])  # it would go on fetching
            return found

        return await self._ask(ask)

    async def _ask(self, ask: Callable[[AIOKafkaConsumer], Awaitable[R]]) -> R | None:
        """Returns None if the broker does not answer; the next call connects anew."""
        try:
            async with self._lock, asyncio.timeout(TIMEOUT_SECONDS):
                if self._consumer is None:
                    self._consumer = AIOKafkaConsumer(
                        **client_options(self._settings), group_id=None, enable_auto_commit=False
                    )
                    await self._consumer.start()
                return await ask(self._consumer)
        except (KafkaError, TimeoutError, OSError):
            await self.close()
            return None
