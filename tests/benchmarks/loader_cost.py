"""What a loader and its ClickHouse spend on a touchpoint, with and without owners on the rows.

    python -m tests.benchmarks.loader_cost [touchpoints [rate]]

Two loaders load the same topics at the same time, each into a ClickHouse of its own, so that both meet the same
machine. *Before*: the tables of migration 0013, which views join on read, and no reconciliation. *Now*: the present
tables and the present loader. A worker processes a simulated population with its merges at a steady rate meanwhile.
Then all load the topics into empty databases once more, as after an outage. Printed is the CPU time from /proc of
each loader and of its ClickHouse, merges included, for a million touchpoints.
"""

import asyncio
import shutil
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final

from aiokafka import TopicPartition

from deploy.cli.context import Context
from deploy.cli.load import command
from deploy.sandbox import ClickHouseServer, Process, TansuBroker
from schemas.settings import ClickHouse
from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.connection import connect
from sinks.clickhouse.write import loader as loading
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.loader import Loader
from sinks.clickhouse.write.reconcile.schedule import Schedule
from tests.benchmarks.prepared_load import Load, prepared
from tests.benchmarks.processes import cpu_seconds
from tests.integration.parts import Deployment, deployment

TOUCHPOINTS: Final = 60_000
RATE: Final = 1_000.0
BEFORE, TABLES, NOW = "before", "now, without reconciliation", "now"
BACKLOG: Final = "a backlog"
FIRST_NOW: Final = "0014"
MIGRATIONS: Final = "migrations"
STILL_SECONDS: Final = 4.0
SETTLE_SECONDS: Final = 8.0  #: for merges and the reconciliation that follow the last record


def main() -> None:
    """Measure both variants side by side."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else TOUCHPOINTS
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else RATE
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / MIGRATIONS).mkdir()
        for path in migrations.MIGRATIONS.glob("*.sql"):
            if path.name < FIRST_NOW:
                shutil.copy(path, folder / MIGRATIONS)
        broker = TansuBroker(folder)
        servers = {
            variant: ClickHouseServer(folder / str(number), folder / f"{number}-log")
            for number, variant in enumerate((BEFORE, TABLES, NOW))
        }
        try:
            for one in (broker, *servers.values()):
                one.start()
            with deployment(broker, servers[NOW], workers=1, loader=False, log_dir=folder) as live:
                messages = prepared(live.settings, Context(live.settings).policy, events)
                for how in (f"at {rate:,.0f} a second", BACKLOG):
                    _measure(
                        live,
                        servers,
                        folder,
                        how,
                        events,
                        None if how == BACKLOG else Load(live.settings, messages, rate),
                    )
        finally:
            for one in (*servers.values(), broker):
                one.stop()


def _measure(
    live: Deployment,
    servers: dict[str, ClickHouseServer],
    folder: Path,
    how: str,
    events: int,
    load: Load | None,
) -> None:
    """What both variants spend while events come, or on a backlog."""
    wheres, loaders = {}, {}
    for variant, server in servers.items():
        url = server.url_of(f"bench_{uuid.uuid4().hex[:8]}")
        wheres[variant] = ClickHouse.from_url(url)
        migrations.migrate(
            wheres[variant], folder / MIGRATIONS if variant == BEFORE else migrations.MIGRATIONS
        )
        loaders[variant] = Process(
            f"loader-{variant}",
            [sys.executable, "-m", "tests.benchmarks.loader_cost", "load", variant, str(folder), how],
            folder / f"loader-{variant}.log",
            live.settings.to_env() | {"TOUCHLINE_CLICKHOUSE_URL": url},
        )
    begun = {variant: cpu_seconds(_pid(server)) for variant, server in servers.items()}
    try:
        for loader in loaders.values():
            loader.start()
        if load is not None:
            asyncio.run(load.run())
            live.wait_idle(600.0, reconciling=False)
        for where in wheres.values():
            _wait_loaded(where)
        time.sleep(SETTLE_SECONDS)
        costs = {
            variant: (
                cpu_seconds(loaders[variant].pid) * 1e6 / events,
                (cpu_seconds(_pid(server)) - begun[variant]) * 1e6 / events,
            )
            for variant, server in servers.items()
        }
    finally:
        for loader in loaders.values():
            loader.stop()
    for variant, (loader_cost, server_cost) in costs.items():
        print(
            f"{how}, {variant}: loader {loader_cost:.0f} s, ClickHouse {server_cost:.0f} s a million touchpoints"
        )
    print((folder / f"loader-{NOW}.log").read_text().strip())
    print(f"{how}: now / before {sum(costs[NOW]) / sum(costs[BEFORE]):.2f}", flush=True)


def _wait_loaded(where: ClickHouse) -> None:
    """Wait until no table has grown for some seconds."""
    sql = "SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = 'raw_%s'"
    names = ("touchpoints", "journey_states", "identity_assignments")
    client = connect(where)
    seen, since = [], time.monotonic()
    while time.monotonic() - since < STILL_SECONDS or not all(count for ((count,),) in seen):
        found = [client.execute(sql % name) for name in names]
        if found != seen:
            seen, since = found, time.monotonic()
        time.sleep(0.5)
    client.disconnect()


def _pid(server: ClickHouseServer) -> int:
    assert server.process is not None
    return server.process.pid


def _load(variant: str, folder: Path, how: str) -> None:
    """Run the loader of a variant, in a group of its own; for a backlog from the beginning of the topics."""
    loading.topics.LOADER_GROUP = (
        f"{loading.topics.LOADER_GROUP}-{variant.replace(', ', '-').replace(' ', '-')}"
    )
    if how == BACKLOG:
        assigned = Loader.on_partitions_assigned

        async def again(loader: Loader, partitions: set[TopicPartition]) -> None:
            await assigned(loader, partitions)
            await loader._consumer.seek_to_beginning(*partitions)

        Loader.on_partitions_assigned = again
    if variant == BEFORE:
        migrations.MIGRATIONS = folder / MIGRATIONS
    if variant != NOW:
        Schedule.work = lambda *_, **__: None
    command("WARNING")
    for what in ("owners", "profiles"):
        (metric,) = metrics.RECONCILIATION_SECONDS.collect()
        found = {
            one.name.rpartition("_")[2]: one.value for one in metric.samples if one.labels.get("what") == what
        }
        print(
            f"{how}: {found.get('count', 0):.0f} runs for {what} took {found.get('sum', 0):.1f} s", flush=True
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        _load(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main()
