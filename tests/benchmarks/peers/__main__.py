"""Touchline beside plain Faust, Quix Streams, Kafka Streams and the limit, in one run.

    python -m tests.benchmarks.peers --events 100000 --plot peers.svg --json peers.json

CPU time is the headline: it says what an event costs on any machine that is busy with other things as well.
Needs `pip install -e '.[bench]'`; Kafka Streams and the broker need Java 17 and Maven.
"""

import json
import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import print_table, remarks
from tests.benchmarks.peers.harness import SYSTEMS, Plan, run
from tests.benchmarks.peers.report import COLUMNS, lines, plot, rows, to_json
from tests.benchmarks.peers.workload import EVENTS_A_PERSON


def main(
    systems: Annotated[str, typer.Option(help="Which, in this order.")] = ",".join(SYSTEMS),
    events: Annotated[int, typer.Option(help="Events that are measured.")] = 100_000,
    warm_up: Annotated[int, typer.Option(help="Events before them.")] = 20_000,
    people: Annotated[int, typer.Option(help="People; 0 for one in 20 events.")] = 0,
    repeat: Annotated[int, typer.Option(help="Runs of each; the median counts.")] = 1,
    without_inserts: Annotated[
        bool, typer.Option(help="Run the peers without their inserts as well.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything to this file.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Draw it: .svg or .png.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for logs and data, kept.")] = None,
) -> None:
    """Measure and print a table of ratios."""
    wanted = tuple(systems.split(","))
    unknown = set(wanted) - set(SYSTEMS)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: choose of {', '.join(SYSTEMS)}")
    people = people or (events + warm_up) // EVENTS_A_PERSON
    plan = Plan(wanted, events, warm_up, people, repeat, without_inserts)
    with tempfile.TemporaryDirectory(prefix="touchline-peers-") as scratch:
        if keep is not None:
            keep.mkdir(parents=True)
        costs = run(plan, keep or Path(scratch))
    found = lines(costs)
    title = f"{events:,} events of {people:,} people, CPU time after {warm_up:,} to warm up"
    print_table(COLUMNS, rows(found), title=title)
    remarks.print("touchline: how many times as many events it takes in the same CPU time")
    if json_file is not None:
        about = {"title": title, "machine": f"{platform.machine()}, Python {platform.python_version()}"}
        json_file.write_text(json.dumps(to_json(found, costs, about), indent=1))
    if plot_file is not None:
        plot(found, plot_file, title)
        remarks.print(f"drawn: {plot_file}")


if __name__ == "__main__":
    typer.run(main)
