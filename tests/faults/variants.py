"""Workers and loaders with a protection taken out, or with a weakness put in. For the fault suite only.

`python -m tests.faults.variants NAME` starts the process that production would start, after changing one thing.
Whatever a variant needs to know comes from the environment variable FAULTS_DIR.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

import sinks.clickhouse.write.http_writer
import sinks.clickhouse.write.kafka_clients
import sinks.clickhouse.write.loader
import sinks.clickhouse.write.native_writer
from deploy.cli import load, worker
from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.errors import TouchlineError
from streams.runtime.fence import Fence
from streams.runtime.fetches import FetchConsumer, FetchTransport
from streams.runtime.transaction import FetchTransaction
from streams.stitch.stitching import StitchState

DIR = Path(os.environ.get("FAULTS_DIR", "."))


class AckFirst(FetchConsumer):  # type: ignore[misc]
    """Without: acknowledge after the effects."""

    def _to_fetch(self, tp: Any, records: list[Any], generation: int) -> Any:
        message = super()._to_fetch(tp, records, generation)
        message.fetch.done = True
        self._acked[tp]
        return message


def worker_acks_first() -> None:
    FetchTransport.Consumer = AckFirst
    worker.command()


def worker_slow_first() -> None:
    _slow_first()
    worker.command()


def worker_slow_first_acks_first() -> None:
    _slow_first()
    worker_acks_first()


def _slow_first() -> None:
    """With: once, a fetch of touchpoints takes three seconds, while later ones are read; a file says that it began."""
    leave = FetchTransaction.__aexit__

    async def slow(self: FetchTransaction[Any], *error: Any) -> None:
        begun = DIR / "slow"
        if isinstance(self.state, StitchState) and self.outputs.records and not begun.exists():
            begun.touch()
            await asyncio.sleep(3)
        await leave(self, *error)

    FetchTransaction.__aexit__ = slow  # type: ignore[method-assign]


def worker_stops_before_it_raises() -> None:
    """With: SIGSTOP between a cart's deadline and the write-ahead record of its signal, if there is a file `stop`."""
    leave = FetchTransaction.__aexit__

    async def stopped(self: FetchTransaction[Any], *error: Any) -> None:
        told = [
            JOURNEY_SIGNAL.decode(value)["kind"] for _, value, _ in chain(*self.announced.records.values())
        ]
        if "abandoned_cart" in told:
            with suppress(FileNotFoundError):
                (DIR / "stop").unlink()
                os.kill(os.getpid(), signal.SIGSTOP)
        await leave(self, *error)

    FetchTransaction.__aexit__ = stopped  # type: ignore[method-assign]
    worker.command()


def worker_stops_before_it_raises_unfenced() -> None:
    """Without: looking for another worker's claim before an announcement."""

    async def may_announce(*_: Any) -> bool:
        return True

    Fence.may_announce = may_announce  # type: ignore[method-assign, assignment]
    worker_stops_before_it_raises()


def loader_dies_before_commit() -> None:
    """With: kill -9 between the rows and the commit, once for each file `life-*`."""
    commit = AIOKafkaConsumer.commit

    def die_once() -> None:
        for life in DIR.glob("life-*"):
            life.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    async def die(self: AIOKafkaConsumer, offsets: Any) -> None:
        die_once()
        await commit(self, offsets)

    AIOKafkaConsumer.commit = die
    load.command()


def loader_short_poll() -> None:
    """With: a poll interval of five seconds in place of a day."""
    sinks.clickhouse.write.kafka_clients.MAX_POLL_MS = 5000  # type: ignore[misc]
    load.command()


def loader_direct() -> None:
    """With: every record that ClickHouse can read itself goes to it as Avro, in small batches too."""
    sinks.clickhouse.write.loader.AVRO_FROM = 1  # type: ignore[misc]
    load.command()


def loader_gives_up() -> None:
    """Without: patience. An insert that fails counts as done."""

    async def once(action: Any, _: Any) -> bool:
        with suppress(TouchlineError):
            await action()
        return True

    sinks.clickhouse.write.loader.until_done = once  # type: ignore[assignment]
    loader_direct()


def loader_without_token() -> None:
    """Without: deduplication of a retried insert."""
    sinks.clickhouse.write.native_writer.SETTINGS["insert_deduplicate"] = 0  # type: ignore[index]
    sinks.clickhouse.write.http_writer.SETTINGS["insert_deduplicate"] = 0  # type: ignore[index]
    loader_direct()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
