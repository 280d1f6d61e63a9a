"""What a loader and its ClickHouse spend on a touchpoint, with and without owners on the rows.

    python -m tests.benchmarks.loader_cost [touchpoints [rate]]

Two variants run in turns. *Before*: the tables of migration 0013, which views join on read, and no reconciliation.
*Now*: the present tables and the present loader. Each time a worker processes a simulated population with its merges
at a steady rate, and a loader loads what it publishes into a ClickHouse of its own. Then another loader loads the
same topics into another ClickHouse, as after an outage. Printed is the CPU time from /proc of the loader and of
ClickHouse, merges included, for a million touchpoints.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Final

from aiokafka import TopicPartition

from deploy.cli.context import Context
from deploy.cli.load import command
from deploy.sandbox import ClickHouseServer, Process, TansuBroker
from schemas.settings import ClickHouse
from sinks.clickhouse import migrate as migrations
from sinks.clickhouse.connection import connect
from sinks.clickhouse.write.loader import Loader
from sinks.clickhouse.write.reconcile.schedule import Schedule
from tests.benchmarks.prepared_load import Load, Message, prepared
from tests.benchmarks.processes import cpu_seconds
from tests.integration.parts import Deployment, deployment

TOUCHPOINTS: Final = 30_000
RATE: Final = 1_000.0
TURNS: Final = 2
BEFORE, NOW = "before", "now"
BACKLOG: Final = "a backlog"
FIRST_NOW: Final = "0014"
MIGRATIONS: Final = "migrations"
STILL_SECONDS: Final = 4.0
SETTLE_SECONDS: Final = 8.0  #: for merges and the reconciliation that follow the last record

#: What was measured, and the variant → CPU seconds of a million touchpoints: of the loader, and of ClickHouse.
Spent = dict[tuple[str, str], list[tuple[float, float]]]


def main() -> None:
    """Measure both variants in turns."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else TOUCHPOINTS
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else RATE
    spent: Spent = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / MIGRATIONS).mkdir()
        for path in migrations.MIGRATIONS.glob("*.sql"):
            if path.name < FIRST_NOW:
                shutil.copy(path, folder / MIGRATIONS)
        broker = TansuBroker(folder)
        broker.start()
        try:
            for turn in range(TURNS):
                for variant in (BEFORE, NOW):
                    (folder / f"{variant}{turn}").mkdir()
                    _measure(broker, folder / f"{variant}{turn}", variant, events, rate, spent)
        finally:
            broker.stop()
    for how in dict.fromkeys(how for how, _ in spent):
        before, now = (
            statistics.mean(sum(both) for both in spent[how, variant]) for variant in (BEFORE, NOW)
        )
        print(
            f"{how}: before {before:.0f} s, now {now:.0f} s a million touchpoints, ratio {now / before:.2f}"
        )


def _measure(broker: TansuBroker, folder: Path, variant: str, events: int, rate: float, spent: Spent) -> None:
    """One variant: while events come, and from the topics once more."""
    server = ClickHouseServer(folder / "data", folder)
    server.start()
    try:
        with deployment(broker, server, loader=False, log_dir=folder) as live:
            messages = prepared(live.settings, Context(live.settings).policy, events)
            for how, work in (
                (f"at {rate:,.0f} a second", lambda: _publish(live, messages, rate)),
                (BACKLOG, lambda: None),
            ):
                _anew(live.settings.clickhouse(), folder.parent / MIGRATIONS, variant)
                live.loader = Process(
                    "loader",
                    [
                        sys.executable,
                        "-m",
                        "tests.benchmarks.loader_cost",
                        "load",
                        variant,
                        str(folder.parent),
                        how,
                    ],
                    folder / "loader.log",
                    live.settings.to_env(),
                )
                begun = cpu_seconds(_pid(server))
                live.loader.start()
                work()
                live.wait_idle(reconciling=False)  # a loader that loads again has committed everything before
                _wait_loaded(live)
                time.sleep(SETTLE_SECONDS)
                costs = (
                    cpu_seconds(live.loader.pid) * 1e6 / events,
                    (cpu_seconds(_pid(server)) - begun) * 1e6 / events,
                )
                spent[how, variant].append(costs)
                print(f"{variant}, {how}: loader {costs[0]:.0f} s, ClickHouse {costs[1]:.0f} s", flush=True)
                live.loader.stop()
                live.loader = None
    finally:
        server.stop()


def _anew(where: ClickHouse, before: Path, variant: str) -> None:
    """An empty database with the tables of a variant."""
    client = connect(where)
    client.execute(f"DROP DATABASE {where.database} SYNC")
    client.disconnect()
    migrations.migrate(where, before if variant == BEFORE else migrations.MIGRATIONS)


def _publish(live: Deployment, messages: list[Message], rate: float) -> None:
    live.start_worker()
    asyncio.run(Load(live.settings, messages, rate).run())


def _wait_loaded(live: Deployment) -> None:
    """Wait until no table has grown for some seconds."""
    sql = "SELECT sum(rows) FROM system.parts WHERE database = currentDatabase() AND table = 'raw_%s'"
    names = ("touchpoints", "journey_states", "identity_assignments")
    seen, since = [], time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        found = [live.query(sql % name) for name in names]
        if found != seen:
            seen, since = found, time.monotonic()
        time.sleep(0.5)


def _pid(server: ClickHouseServer) -> int:
    assert server.process is not None
    return server.process.pid


def _load(variant: str, folder: Path, how: str) -> None:
    """Run the loader of a variant; for a backlog from the beginning of the topics."""
    if how == BACKLOG:
        assigned = Loader.on_partitions_assigned

        async def again(loader: Loader, partitions: set[TopicPartition]) -> None:
            await assigned(loader, partitions)
            await loader._consumer.seek_to_beginning(*partitions)

        Loader.on_partitions_assigned = again
    if variant == BEFORE:
        migrations.MIGRATIONS = folder / MIGRATIONS
        Schedule.work = lambda *_, **__: None
    command("WARNING")


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        _load(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main()
