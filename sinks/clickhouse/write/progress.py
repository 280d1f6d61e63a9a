"""How far a loader is behind Kafka, in records and in time, and how old records were when their rows were committed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.consumed import KafkaRecord
from schemas.measures import show
from schemas.settings import ClickHouse
from schemas.tracing.tracer import Tracer
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.inserts import Rejected
from sinks.clickhouse.write.parts import Parts

#: Records that wait longer for their rows wait for a server that is away.
OUTAGE_SECONDS: Final = 30.0


class Progress:
    """What was read and what of it is in ClickHouse, since the last assignment. `clock` counts seconds."""

    def __init__(
        self, where: ClickHouse, clock: Callable[[], float] = time.monotonic, tracer: Tracer | None = None
    ) -> None:
        self.consumer: Any = None  #: the loader's, once there is one
        self._clock = clock
        self._tracer = tracer
        self._began = 0  #: UTC ns: when the oldest record was read that is not in ClickHouse
        self._parts = Parts(where, clock)
        self._done: dict[TopicPartition, int] = {}  #: the offset up to which records are in ClickHouse
        self._since: float | None = None  #: when the oldest record was read that is not in ClickHouse
        self._assigned = False
        self._ends: dict[TopicPartition, int] = {}  #: of the partitions, when the broker was last asked
        self._asking: asyncio.Task[None] | None = None

    def assigned(self) -> None:
        """Begin anew: the partitions are others now."""
        self._assigned = True
        self._done, self._since = {}, None

    def read(self, part: TopicPartition, records: list[KafkaRecord]) -> None:
        """Note records that were read; the first is the oldest of them."""
        metrics.STAGE_SECONDS.observe(max(0.0, time.time() - records[0].timestamp / 1000), "fetch")
        self._done.setdefault(part, records[0].offset)
        if self._since is None:
            self._since, self._began = self._clock(), time.time_ns()

    def loaded(self, records: Iterable[KafkaRecord], ends: Mapping[TopicPartition, int]) -> None:
        """Note that everything read is in ClickHouse: `records` since just now, and `ends` are committed."""
        self._done.update(ends)
        self._since = None
        ages, now = defaultdict[str, list[float]](list), time.time() * 1000
        for record in records:
            ages[record.topic].append((now - record.timestamp) / 1000)
        for topic, seconds in ages.items():
            metrics.PUBLISH_TO_ROW.observe_all(seconds, topic)
        if self._tracer is not None:
            self._tracer.finished("load", records, self._began)

    def rejected(self, one: Rejected) -> None:
        """Note a record that became a dead letter."""
        metrics.DEAD_LETTERS.labels(one.error.reason.value).inc()
        if self._tracer is not None:
            self._tracer.rejected("load", one.record, one.error.reason.value)

    def age(self) -> float:
        """Seconds since the oldest record was read that is not in ClickHouse; 0 if all are."""
        return 0.0 if self._since is None else self._clock() - self._since

    def waits_for(self) -> str:
        """What the loader waits for, in a sentence; "" if it loads, or stands by without a partition."""
        if not self._assigned:
            return "the loader waits for its partitions: the consumer group rebalances"
        age = self.age()
        return (
            f"rows wait since {age:.0f} s: ClickHouse or Kafka does not take them"
            if age > OUTAGE_SECONDS
            else ""
        )

    async def stop(self) -> None:
        """Wait for the question to ClickHouse that is under way, if there is one, and tell the last spans."""
        await self._parts.stop()
        if self._asking is not None:
            self._asking.cancel()
        if self._tracer is not None:
            await asyncio.to_thread(self._tracer.close)

    def refresh(self) -> None:
        """Bring the gauges up to date. Call it in the loader's event loop."""
        metrics.COMMIT_AGE.set(self.age())
        self._parts.refresh()
        if self.consumer is None:
            return
        mine = self.consumer.assignment() & self._done.keys()
        self._ask_for_ends(mine)
        # the consumer knows an end as of its last fetch: during an outage of ClickHouse it fetches nothing
        ends = {part: max(self.consumer.highwater(part) or 0, self._ends.get(part, 0)) for part in mine}
        show(
            metrics.LAG,
            (
                ((part.topic, str(part.partition)), max(0, end - self._done[part]))
                for part, end in ends.items()
            ),
        )

    def _ask_for_ends(self, parts: set[TopicPartition]) -> None:
        """Ask the broker in the background; the gauge shows the newest answer."""
        if parts and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._look_for_ends(list(parts)))

    async def _look_for_ends(self, parts: list[TopicPartition]) -> None:
        with suppress(KafkaError):  # the broker is away: what was known stays
            self._ends = await self.consumer.end_offsets(parts)
