"""A ClickHouse with the benchmark's tables: filled for one use, or filled once and kept in a folder."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from tests.benchmarks.analytics.fill import fill

DATABASE: Final = "bench"
#: Written last: a fill that was cut off is not used.
_FILLED: Final = "filled"


@dataclass(frozen=True)
class Filled:
    """A server that answers nobody else. `touchpoints` of `people` are in it."""

    where: ClickHouse
    client: Client
    pid: int
    touchpoints: int
    people: int


@contextmanager
def filled(touchpoints: int, people: int, keep: Path | None) -> Iterator[Filled]:
    """Serve tables with so many touchpoints; those of `keep` if they are there, else filled now.

    Exits with a sentence if `keep` has other numbers, or a fill that was cut off.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        numbers = f"{touchpoints} {people}"
        mark = folder / _FILLED
        if mark.exists() and mark.read_text() != numbers:
            raise SystemExit(f"{folder} has {mark.read_text()} touchpoints and people: name another folder")
        if not mark.exists() and (folder / "data").exists():
            raise SystemExit(f"{folder} was not filled to the end: remove it")
        folder.mkdir(parents=True, exist_ok=True)
        server = ClickHouseServer(folder / "data", folder)
        server.start()
        try:
            where = ClickHouse.from_url(server.url_of(DATABASE))
            migrate(where)
            put_in_force(where, meanings(Settings()))
            client = connect(where)
            if not mark.exists():
                fill(client, where, touchpoints, people)
                mark.write_text(numbers)
            assert server.process is not None
            yield Filled(where, client, server.process.pid, touchpoints, people)
            client.disconnect()
        finally:
            server.stop()
