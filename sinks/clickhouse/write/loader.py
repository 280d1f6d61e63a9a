"""The loader: reads Kafka, writes ClickHouse, and commits offsets only once the rows are durable.

Delivery is at-least-once, into tables that keep one row a key: the views show each record exactly once. A rebalance, a
stop or an outage may drop records before their commit. The loader then seeks back, so they are read again.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.errors import SinkError, UnavailableError
from schemas.kafka_probe import why_unreachable
from schemas.settings import Settings
from schemas.tracing.tracer import tracer_of
from sinks.clickhouse.connection import address
from sinks.clickhouse.erasure.barrier import Positions
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.queue import ErasureQueue, requested
from sinks.clickhouse.migrate import check_migrated
from sinks.clickhouse.retry import result_of, until_done
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.catalogue import Meanings, put_in_force
from sinks.clickhouse.write.checks import Checks
from sinks.clickhouse.write.dead_letters import send
from sinks.clickhouse.write.http_writer import HttpWriter, RefusedError
from sinks.clickhouse.write.inserts import AvroInsert, Rejected, RowInsert, Writer
from sinks.clickhouse.write.kafka_clients import consumer_of, producer_of
from sinks.clickhouse.write.native_writer import NativeWriter
from sinks.clickhouse.write.prepare import prepare, row_inserts
from sinks.clickhouse.write.progress import Progress
from sinks.clickhouse.write.reading import READ
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from sinks.clickhouse.write.reconcile.schedule import Schedule
from sinks.clickhouse.write.reconcile.session import SLOW_SECONDS

BATCH_ROWS: Final = 20_000  #: records of one flush; well below inserts.MAX_ROWS, to bound memory
BATCH_BYTES: Final = 32 * 1024 * 1024  #: of record values in one flush
FLUSH_SECONDS: Final = 0.5  #: between two flushes: each costs ClickHouse a part a table, and with it merges
IDLE_SECONDS: Final = 0.1  #: how long one look for records waits for some: a stop waits as long
#: A table's records are worth an Avro file from this number on: ClickHouse takes 20 ms to understand the statement.
AVRO_FROM: Final = 200
#: How long the loader sends rows only after ClickHouse refused a file, which costs a batch twice.
REFUSED_SECONDS: Final = 10.0
#: The loader with this partition of journey inputs reconciles what all of them load.
RECONCILING_PARTITION: Final = 0

_log = logging.getLogger("touchline.loader")


class Loader(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """One member of the loader group. `run` returns after `stop` was called."""

    def __init__(self, settings: Settings, meanings: Meanings, positions: Callable[[], Positions]) -> None:
        """Store `meanings` before the first rows. `positions`: of all consumer groups; may raise UnavailableError."""
        self._settings = settings
        self._meanings = meanings
        self._where = settings.clickhouse()
        self._in_force = False  #: whether ClickHouse has the meanings
        self._topics = {settings.topic(topic.name): topic for topic in READ}
        self._row_writer: Writer[RowInsert] = NativeWriter(self._where)
        self._avro_writer: Writer[AvroInsert] | None = (
            HttpWriter(self._where) if self._where.http_port else None
        )
        self._at_once = Reconciliation(self._where)  #: for what cannot wait for a run of `_reconciling`
        self._reconciling = Schedule(self._where, time.monotonic)
        self._reconciles = TopicPartition(settings.topic(topics.JOURNEY_INPUTS.name), RECONCILING_PARTITION)
        self._avro_after = 0.0  #: monotonic seconds: rows only until then
        self._checks = Checks(positions, settings.epoch)
        self._erasures = ErasureQueue(Eraser(self._where), positions, time.monotonic)
        self._held: list[KafkaRecord] = []
        self._held_bytes = 0
        self.progress = Progress(self._where, tracer=tracer_of(settings, "loader"))
        self._stopping = asyncio.Event()
        self._give_up = asyncio.Event()  #: set while failing deliveries must end: on a rebalance or a stop
        self._delivering = asyncio.Lock()

    def stop(self) -> None:
        """Make `run` flush and commit the held records and leave the group. Records not flushed are read again."""
        self._stopping.set()
        self._give_up.set()

    async def run(self) -> None:
        """Load until stopped. Raises SettingsError or UnavailableError if it cannot start or go on."""
        await self.check_clickhouse()
        settings = self._settings
        self._producer, self._consumer = producer_of(settings), consumer_of(settings)
        self.progress.consumer = self._consumer
        try:
            await self._producer.start()
            await self._consumer.start()
            await self._check_topics()
            self._consumer.subscribe(list(self._topics), listener=self)
            await self._load()
        except KafkaError as error:
            why = await asyncio.to_thread(why_unreachable, settings)
            raise UnavailableError(f"Kafka at {settings.brokers} cannot be used: {why or error}") from error
        finally:
            for client in (self._consumer, self._producer):
                # while the broker is down aiokafka cancels its own tasks and lets that out
                with suppress(asyncio.CancelledError):
                    await client.stop()
            await self._erasures.stop()
            await self.progress.stop()
            self._row_writer.close()
            await self._reconciling.stop()
            self._at_once.close()
            if self._avro_writer is not None:
                self._avro_writer.close()

    async def _load(self) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        while not self._stopping.is_set():
            await self._collect(due - clock())
            full = len(self._held) >= BATCH_ROWS or self._held_bytes >= BATCH_BYTES
            if self._held and (full or clock() >= due):
                due = clock() + FLUSH_SECONDS
                await self._flush()
            self._erasures.work()
            self._reconciling.work(mine=self._reconciles in self._consumer.assignment())
        await self._flush()

    async def _collect(self, left: float) -> None:
        """Fetch records into the held ones. `left`: seconds to the next flush."""
        wait = min(max(left, 0.0), IDLE_SECONDS) if self._held else IDLE_SECONDS
        fetched = await self._consumer.getmany(
            timeout_ms=int(wait * 1000), max_records=BATCH_ROWS - len(self._held)
        )
        for part, records in fetched.items():
            self.progress.read(part, records)
            self._held.extend(records)
            self._held_bytes += sum(len(record.value or b"") for record in records)

    async def _flush(self) -> None:
        async with self._delivering:
            records, self._held, self._held_bytes = self._held, [], 0
            if not records:
                return
            delivered = False
            metrics.STAGE_SECONDS.observe(self.progress.age(), "hold")
            try:
                with metrics.FLUSH_SECONDS.time():
                    delivered = await self._deliver(records)
                    if delivered:
                        self._reconciling.loaded()
                        with metrics.stage("commit"):
                            await self._commit(records)
            finally:
                if not delivered:
                    self._drop(records)

    async def _deliver(self, records: list[KafkaRecord]) -> bool:
        """Write the records, in threads, so that heartbeats go on. Returns whether all their effects are durable."""
        if not await self.ensure_in_force():
            return False
        known = [(self._topics[record.topic], record) for record in records]
        erasures = await result_of(lambda: requested(known, self._checks.check), self._give_up)
        if erasures is None or not await self._erasures.accept(erasures, self._give_up):
            return False
        least = AVRO_FROM if self._avro_writer is not None and time.monotonic() >= self._avro_after else None
        work = partial(prepare, known, self._erasures.erased, avro_from=least, checks=self._checks)
        with metrics.stage("prepare"):
            prepared = await result_of(work, self._give_up)
        if prepared is None:
            return False
        inserts, rejected = prepared
        with metrics.stage("insert"):
            for insert in inserts:
                began = time.monotonic()
                if isinstance(insert, RowInsert):
                    done = await self._write_rows(insert)
                else:
                    done = await self._write_avro(insert, rejected)
                metrics.INSERT_SECONDS.labels(insert.table).observe(time.monotonic() - began)
                if not done or not await self._note_slow(began):
                    return False
        if erasures:  # views hide their rows as soon as these say that they are erased
            named = [(one.tenant, one.type, one.value) for one in erasures]
            if not await until_done(partial(asyncio.to_thread, self._at_once.rewrite, named), self._give_up):
                return False
        return await self._send_dead_letters(rejected)

    async def _note_slow(self, began: float) -> bool:
        """Note an insert whose rows showed late: reconciliations look at it then. Returns whether it is noted."""
        while (took := time.monotonic() - began) > SLOW_SECONDS:
            began += took
            if not await until_done(partial(asyncio.to_thread, self._at_once.note_slow, took), self._give_up):
                return False
        return True

    async def _write_rows(self, insert: RowInsert) -> bool:
        """Insert rows, with retries. Returns whether they are durable."""
        if not await until_done(partial(asyncio.to_thread, self._row_writer.write, insert), self._give_up):
            return False
        metrics.ROWS_LOADED.labels(insert.table).inc(insert.rows)
        return True

    async def _write_avro(self, insert: AvroInsert, rejected: list[Rejected]) -> bool:
        """Insert a file, with retries. Returns whether its records are durable.

        If ClickHouse refuses the file, inserts its records as rows and appends the bad ones to `rejected`.
        """
        assert self._avro_writer is not None
        write = partial(asyncio.to_thread, self._avro_writer.write, insert)
        try:
            if not await until_done(write, self._give_up):
                return False
        except RefusedError as error:
            _log.warning("%s; for %.0f s records are loaded as rows", error.brief, REFUSED_SECONDS)
            metrics.REFUSED_FILES.labels(insert.table).inc()
            self._avro_after = time.monotonic() + REFUSED_SECONDS
            read = partial(row_inserts, insert.records, self._erasures.erased, self._checks)
            blocks, bad = await asyncio.to_thread(read)
            rejected.extend(bad)
            for block in blocks:
                if not await self._write_rows(block):
                    return False
        else:
            metrics.ROWS_LOADED.labels(insert.table).inc(insert.rows)
        return True

    async def _put_in_force(self) -> None:
        await asyncio.to_thread(put_in_force, self._where, self._meanings)
        self._in_force = True

    async def ensure_in_force(self) -> bool:
        """Store the meanings if ClickHouse was down when the loader started. Returns whether ClickHouse has them."""
        return self._in_force or await until_done(self._put_in_force, self._give_up)

    async def _send_dead_letters(self, rejected: list[Rejected]) -> bool:
        topic = self._settings.topic(topics.DEAD_LETTERS.name)
        for one in rejected:
            if not await until_done(partial(send, self._producer, topic, one), self._give_up):
                return False
            self.progress.rejected(one)
        return True

    async def _commit(self, records: list[KafkaRecord]) -> None:
        ends = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        mine = self._consumer.assignment()
        ends = {part: end for part, end in ends.items() if part in mine}
        try:
            if ends:
                await self._consumer.commit(ends)
            self.progress.loaded(records, ends)
        except (CommitFailedError, IllegalStateError) as error:
            # the rows are durable: the new owner loads the same rows again, which changes no view
            _log.info("the group has rebalanced before a commit: %s", error)

    def _drop(self, records: list[KafkaRecord]) -> None:
        """Drop these and all held records, and seek back to the first of them, so that they are read again."""
        starts: dict[TopicPartition, int] = {}
        for record in (*records, *self._held):
            part = TopicPartition(record.topic, record.partition)
            starts[part] = min(record.offset, starts.get(part, record.offset))
        self._held, self._held_bytes = [], 0
        for part in starts.keys() & self._consumer.assignment():
            self._consumer.seek(part, starts[part])

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Flush and commit the held records before another loader gets them; drop them if ClickHouse is down."""
        if not revoked:
            return
        self._give_up.set()
        # A task that outlives the wait goes on: cancelling it would leave its thread at the connection.
        await asyncio.wait({asyncio.create_task(self._flush())}, timeout=self._settings.session_timeout / 2)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Load the partitions of the new assignment."""
        self.progress.assigned()
        if not self._stopping.is_set():
            self._give_up.clear()
        _log.info("loading %d partitions into %s", len(assigned), address(self._where))

    async def check_clickhouse(self) -> None:
        """Check the tables and put the meanings in force; if ClickHouse is down, `ensure_in_force` does that later.

        Raises SettingsError if the tables are not those of this release.
        """
        try:
            await asyncio.to_thread(check_migrated, self._where)
            await self._put_in_force()
        except (SinkError, UnavailableError) as error:
            _log.warning("%s; loading begins when it does", error)

    async def _check_topics(self) -> None:
        missing = sorted(self._topics.keys() - await self._consumer.topics())
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnavailableError(f"Kafka has no topic {missing[0]}{more}: run `touchline topics`")
