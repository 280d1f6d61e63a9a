"""What a backlog costs a worker in memory: `python -m tests.benchmarks.backlog --json`

For each backlog: everything is published first, then one worker drains it (its peak), and a second one that recovers
the same state and takes a few events more (what the state takes). What the first had beyond that is for the work
itself: stream buffers, fetches, outboxes. It must not grow with the backlog.
"""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.output import print_table, remarks
from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, TansuBroker
from deploy.simulation.population import Population, simulate
from deploy.sources.publisher import publish
from streams.identity.load_policy import load
from tests.benchmarks.processes import peak_mib, resident_mib
from tests.integration.parts import Deployment, deployment

FIGURES: Final = ("events", "worker peak MiB", "with the state alone MiB", "for the work MiB")
AFTERWARDS: Final = 200  #: events that the second worker takes


def main(
    backlogs: Annotated[str, typer.Option(help="Events.")] = "50000,200000",
    broker: Annotated[str, typer.Option(help="sandbox or kafka.")] = "kafka",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure and print a table, or JSON."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="touchline-backlog-") as name:
        folder = Path(name)
        clickhouse = ClickHouseServer(folder / "clickhouse", folder)
        clickhouse.start()
        server: Broker = TansuBroker(folder) if broker == "sandbox" else KafkaBroker(folder / "data", folder)
        server.start()
        try:
            for size in (int(one) for one in backlogs.split(",")):
                with deployment(server, clickhouse, workers=0, loader=False, log_dir=folder) as live:
                    rows.append(_measure(live, size))
                remarks.print(*zip(FIGURES, rows[-1], strict=True))
        finally:
            server.stop()
            clickhouse.stop()
    if as_json:
        typer.echo(json.dumps([dict(zip(FIGURES, row, strict=True)) for row in rows]))
        return
    print_table(FIGURES, [tuple(f"{figure:,}" for figure in row) for row in rows])


def _measure(live: Deployment, size: int) -> tuple[int, int, int, int]:
    settings = live.settings
    policy = load("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    publish(simulate(Population(people=size // 20, events=size, seed=1)), settings, policy)
    first = live.start_worker()
    live.wait_idle(timeout=1200)
    peak = peak_mib(first.pid)
    first.stop(timeout=10)
    publish(simulate(Population(people=10, events=AFTERWARDS, seed=2)), settings, policy)
    second = live.start_worker()
    live.wait_idle(timeout=600)
    state = resident_mib(second.pid)
    return size, peak, state, peak - state


if __name__ == "__main__":
    typer.run(main)
