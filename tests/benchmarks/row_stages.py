"""Where the time of a row goes: `python -m tests.benchmarks.row_stages --rate 2000 --waits 500,50 --flushes 0.5,0.25`.

For each pair of a fetch wait (milliseconds) and a flush interval (seconds): a worker and a loader process prepared
events at a steady rate, and probes are timed to their state and to their row (tests/benchmarks/latency.py).
Printed beside that: the loader's stages (docs/metrics.md, touchline_loader_stage_seconds; a quantile is as exact
as its bucket; the fetch stage includes the wait behind the flush before), the CPU time of loader and ClickHouse
for a million events, and the inserts, each of which makes a part or more. The events of the warm-up count in the
stages. Every other repetition takes the pairs in reverse, since whoever comes first meets cold caches. The time to
the state hardly depends on either figure: where it differs between pairs as much as the time to the row, the
machine made the difference.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.context import Context
from deploy.cli.load import command
from deploy.cli.output import print_table
from deploy.sandbox import ClickHouseServer, Process
from sinks.clickhouse.write import kafka_clients, loader, metrics
from tests.benchmarks import latency
from tests.benchmarks.brokers import OneOrBoth, broker_and_clickhouse
from tests.benchmarks.prepared_load import prepared
from tests.benchmarks.processes import cpu_seconds
from tests.integration.parts import Deployment, deployment

CUTS: Final = {"p50": 0.5, "p99": 0.99}


def main(
    rate: Annotated[float, typer.Option(help="Events a second.")] = 2_000.0,
    probes: Annotated[int, typer.Option(help="Latency probes, 25 a second.")] = 500,
    waits: Annotated[str, typer.Option(help="Fetch waits in milliseconds.")] = str(
        kafka_clients.FETCH_WAIT_MS
    ),
    flushes: Annotated[str, typer.Option(help="Seconds between flushes.")] = str(loader.FLUSH_SECONDS),
    repeat: Annotated[int, typer.Option(help="Times that each pair is measured.")] = 2,
    broker: Annotated[OneOrBoth, typer.Option(help="Which.")] = OneOrBoth.KAFKA,
) -> None:
    """Measure every pair and print a table for each broker."""
    pairs = [(int(wait), float(flush)) for wait in waits.split(",") for flush in flushes.split(",")]
    for name in broker.names:
        columns: dict[str, dict[str, Any]] = {}
        with (
            tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder,
            broker_and_clickhouse(name, Path(folder)) as (running, server),
        ):
            for number, (wait, flush) in _order(pairs, repeat):
                with deployment(running, server, loader=False, log_dir=Path(folder)) as live:
                    found = _measured(live, server, rate, probes, wait, flush)
                columns[f"{number}: fetch wait {wait} ms, flush {flush} s"] = found
        figures = dict.fromkeys(figure for found in columns.values() for figure in found)
        rows = [[figure, *(found.get(figure, "") for found in columns.values())] for figure in figures]
        print_table(["", *columns], rows, title=f"{name}: rows beside {rate:,.0f} events/s")


def _order(pairs: list[tuple[int, float]], repeat: int) -> list[tuple[int, tuple[int, float]]]:
    """The pairs with the number of their repetition; every other one backwards."""
    return [
        (number, pair) for number in range(1, repeat + 1) for pair in (pairs if number % 2 else pairs[::-1])
    ]


def _load(wait: int, flush: float, report: Path) -> None:
    """Run a loader with this fetch wait and flush interval until SIGTERM, and write what it measured to a file."""
    kafka_clients.FETCH_WAIT_MS = wait  # type: ignore[misc]
    loader.FLUSH_SECONDS = flush  # type: ignore[misc]
    command("WARNING")
    report.write_text(
        json.dumps(
            {
                **_quantiles(metrics.STAGE_SECONDS.collect(), "stage"),
                "inserts": _count(metrics.INSERT_SECONDS.collect()),
                "flushes": _count(metrics.FLUSH_SECONDS.collect()),
            }
        )
    )


def _measured(
    live: Deployment, server: ClickHouseServer, rate: float, probes: int, wait: int, flush: float
) -> dict[str, Any]:
    policy = Context(live.settings).policy
    messages = prepared(live.settings, policy, int(rate * latency.load_seconds(probes)))
    report = live.logs / f"stages-{wait}-{flush}.json"
    live.loader = Process(
        "loader",
        [sys.executable, "-m", "tests.benchmarks.row_stages", "load", str(wait), str(flush), str(report)],
        live.logs / "loader.log",
        live.settings.to_env(),
    )
    assert server.process is not None
    pids = {"loader": live.start_loader().pid, "ClickHouse": server.process.pid}
    live.wait_idle()
    begun = {who: cpu_seconds(pid) for who, pid in pids.items()}
    found = latency.measure(live, policy, messages, rate, probes)
    cost = {
        f"{who}, CPU s per million": round((cpu_seconds(pid) - begun[who]) * 1e6 / (len(messages) + probes))
        for who, pid in pids.items()
    }
    live.loader.stop()
    return {**found, **json.loads(report.read_text()), **cost}


def _count(families: Any) -> int:
    return sum(int(one.value) for family in families for one in family.samples if one.name.endswith("_count"))


def _quantiles(families: Any, label: str) -> dict[str, float]:
    """Of each label's value: the upper ends of the buckets that hold p50 and p99, in milliseconds."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for family in families:
        for one in family.samples:
            if one.name.endswith("_bucket"):
                buckets.setdefault(one.labels[label], []).append((float(one.labels["le"]), one.value))
    return {
        f"{name}, ms, {cut} at most": round(_upper_end(sorted(ends), share) * 1000, 1)
        for name, ends in buckets.items()
        for cut, share in CUTS.items()
    }


def _upper_end(ends: list[tuple[float, float]], share: float) -> float:
    """The end of the bucket that holds this share; the largest finite one if it is beyond that."""
    wanted = share * ends[-1][1]
    return next((end for end, below in ends[:-1] if below >= wanted), ends[-2][0])


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        _load(int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
    else:
        typer.run(main)
