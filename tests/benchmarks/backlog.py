"""What a backlog costs a worker in memory: `python -m tests.benchmarks.backlog --json`

The same events twice: all of them published before a worker starts, and in small portions, each after the one before
was done. Both workers end with the same state; what the first one's peak has beyond the second's is the backlog's:
stream buffers, fetches, outboxes. It must not grow with the backlog.
"""

import json
import tempfile
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.output import print_table, remarks
from deploy.ingest.publisher import publish
from deploy.simulation.population import Population, simulate
from streams.identity.policy.load import load
from tests.benchmarks.brokers import broker_and_clickhouse
from tests.benchmarks.processes import peak_mib
from tests.integration.parts import Deployment, deployment

FIGURES: Final = ("events", "peak MiB, all at once", "peak MiB, in portions", "for the backlog MiB")


def main(
    backlogs: Annotated[str, typer.Option(help="Events.")] = "50000,200000",
    portion: Annotated[int, typer.Option(help="Events published at a time, to compare with.")] = 5_000,
    sandbox: Annotated[bool, typer.Option(help="On the sandbox's broker instead of Kafka.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure and print a table, or JSON."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="touchline-backlog-") as name:
        folder = Path(name)
        with broker_and_clickhouse("sandbox" if sandbox else "kafka", folder) as (broker, clickhouse):
            for size in (int(one) for one in backlogs.split(",")):
                peaks = []
                for each in (size, portion):
                    with deployment(broker, clickhouse, workers=0, loader=False, log_dir=folder) as live:
                        peaks.append(_peak(live, size, each))
                    remarks.print(f"{size:,} events, {each:,} at a time: {peaks[-1]:,} MiB")
                rows.append((size, *peaks, peaks[0] - peaks[1]))
    if as_json:
        typer.echo(json.dumps([dict(zip(FIGURES, row, strict=True)) for row in rows]))
        return
    print_table(FIGURES, [tuple(f"{figure:,}" for figure in row) for row in rows])


def _peak(live: Deployment, size: int, portion: int) -> int:
    settings = live.settings
    policy = load("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    events = iter(simulate(Population(people=size // 20, events=size, seed=1)))
    publish(islice(events, portion), settings, policy)
    worker = live.start_worker()
    live.wait_idle(timeout=1800)
    for _ in range(portion, size, portion):
        publish(islice(events, portion), settings, policy)
        live.wait_idle(timeout=600)
    return peak_mib(worker.pid)


if __name__ == "__main__":
    typer.run(main)
