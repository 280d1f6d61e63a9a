"""Workers and loaders with a protection taken out, or with a weakness put in. For the fault suite only.

`python -m tests.faults.variants worker NAME...` starts the process that production would start, after each NAME has
changed one thing. Whatever a change needs to know stands in the folder that the environment variable FAULTS_DIR names.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer

import sinks.clickhouse.write.kafka_clients
import sinks.clickhouse.write.loader
from deploy.cli import load, worker
from deploy.cli.main import run
from schemas.errors import TouchlineError
from sinks.clickhouse.write.http_writer import HttpWriter
from sinks.clickhouse.write.inserts import AvroInsert, RowInsert
from sinks.clickhouse.write.native_writer import NativeWriter
from tests.faults import worker_controls, worker_variants
from tests.faults.aims import Aims, die


def dies_before_commit(aims: Aims) -> None:
    """With: kill -9 of the loader between the rows and the commit."""
    commit = AIOKafkaConsumer.commit

    async def dying(self: AIOKafkaConsumer, offsets: Any) -> None:
        if aims.taken("before-commit"):
            aims.note("before-commit", partitions=len(offsets))
            die()
        await commit(self, offsets)

    AIOKafkaConsumer.commit = dying


def short_poll(_: Aims) -> None:
    """With: a poll interval of five seconds in place of a day."""
    sinks.clickhouse.write.kafka_clients.MAX_POLL_MS = 5000  # type: ignore[misc]


def direct(_: Aims) -> None:
    """With: every record that ClickHouse can read itself goes to it as Avro, in small batches too."""
    sinks.clickhouse.write.loader.AVRO_FROM = 1  # type: ignore[misc]


def gives_up(_: Aims) -> None:
    """Without: patience. An insert that fails counts as done."""

    async def once(action: Any, _: Any) -> bool:
        with suppress(TouchlineError):
            await action()
        return True

    sinks.clickhouse.write.loader.until_done = once  # type: ignore[assignment]


def without_token(_: Aims) -> None:
    """Without: the token by which ClickHouse knows an insert that is repeated. Each attempt has another one."""

    class Rows(NativeWriter):
        def write(self, insert: RowInsert) -> None:
            super().write(replace(insert, token=str(uuid4())))

    class Files(HttpWriter):
        def _exchange(self, insert: AvroInsert) -> tuple[HTTPResponse, bytes]:
            return super()._exchange(replace(insert, token=str(uuid4())))

    sinks.clickhouse.write.loader.NativeWriter = Rows  # type: ignore[misc]
    sinks.clickhouse.write.loader.HttpWriter = Files  # type: ignore[misc]


COMMANDS = {"worker": worker.command, "load": load.command}


def found(name: str) -> Callable[[Aims], None]:
    """A change by its name. Raises AttributeError if there is none."""
    for module in (sys.modules[__name__], worker_variants):
        if hasattr(module, name):
            return getattr(module, name)  # type: ignore[no-any-return]
    return getattr(worker_controls, name)  # type: ignore[no-any-return]


def change(names: list[str], folder: Path) -> None:
    """Make the named changes in this process, in this order. Raises AttributeError for a name that there is not."""
    aims = Aims(folder)
    for name in names:
        found(name)(aims)


def start(command: str, changes: list[str]) -> None:
    """Become the process that production would start, with these changes; without any, by the way of `touchline`."""
    if not changes:
        sys.argv = ["touchline", command]
        run()
    change(changes, Path(os.environ.get("FAULTS_DIR", ".")))
    COMMANDS[command]()


if __name__ == "__main__":
    start(sys.argv[1], sys.argv[2:])
