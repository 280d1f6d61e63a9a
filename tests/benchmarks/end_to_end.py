"""How fast the whole path is: `make bench`, or `python -m tests.benchmarks.end_to_end --broker kafka --json`.

For each broker, everything on this machine:
- drain: a backlog of simulated events with one worker and with two, and one loader: from the first processed to the
  last row in ClickHouse, with the CPU time of workers and loader per million events and their peak memory;
- latency, with one worker: single touchpoints beside a quarter, half and three quarters of the events a second that it
  drained, until their state is on journey-states and until a query of ClickHouse returns their row.
Absolute figures are this machine's; the next run's compare only if the machine is as quiet.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import print_table, remarks
from deploy.ingest.publisher import publish
from deploy.sandbox import ClickHouseServer
from deploy.simulation.population import Population, simulate
from schemas.topics import WORKER_GROUP
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from tests.benchmarks import latency
from tests.benchmarks.brokers import BROKERS, OneOrBoth
from tests.benchmarks.prepared_load import prepared
from tests.benchmarks.processes import cpu_seconds, peak_mib
from tests.integration.parts import Deployment, deployment

WORKERS: Final = (1, 2)
SHARES: Final = (25, 50, 75)  #: percent of the maximum


def main(
    events: Annotated[int, typer.Option(help="Events of the backlog.")] = 60_000,
    probes: Annotated[int, typer.Option(help="Latency probes at each share of the maximum.")] = 1_000,
    broker: Annotated[OneOrBoth, typer.Option(help="Which.")] = OneOrBoth.BOTH,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure the whole path and print a table, or JSON."""
    results: dict[str, dict[str, dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        clickhouse = ClickHouseServer(Path(folder) / "clickhouse", Path(folder))
        clickhouse.start()
        try:
            for name in broker.names:
                results[name] = _measure(name, Path(folder) / name, clickhouse, events, probes)
        finally:
            clickhouse.stop()
    if as_json:
        typer.echo(json.dumps(results))
        return
    for name, runs in results.items():
        for title, kind in (("drained", _is_drain), ("latency", lambda run: not _is_drain(run))):
            columns = {run: figures for run, figures in runs.items() if kind(run)}
            rows = [
                [figure, *(run[figure] for run in columns.values())]
                for figure in next(iter(columns.values()))
            ]
            print_table(["", *columns], rows, title=f"{name}: {events:,} simulated events {title}")


def _is_drain(run: str) -> bool:
    return "worker" in run


def _measure(
    name: str, folder: Path, clickhouse: ClickHouseServer, events: int, probes: int
) -> dict[str, dict[str, Any]]:
    folder.mkdir()
    broker = BROKERS[name](folder)
    broker.start()
    result: dict[str, dict[str, Any]] = {}
    try:
        for workers in WORKERS:
            remarks.print(f"{name}: draining {events:,} events with {workers} worker{'s'[: workers - 1]}")
            with deployment(broker, clickhouse, workers=0, loader=False, log_dir=folder) as live:
                result[f"{workers} worker{'s'[: workers - 1]}"] = _drain(live, events, workers)
        most = result["1 worker"]["events/s, published to loaded"]
        for share in SHARES:
            rate = most * share / 100
            remarks.print(f"{name}: {probes:,} probes beside {rate:,.0f} events/s")
            with deployment(broker, clickhouse, log_dir=folder) as live:
                result[f"{share}%"] = _latency(live, probes, rate)
        return result
    finally:
        broker.stop()


def _drain(live: Deployment, events: int, count: int) -> dict[str, Any]:
    publish(simulate(Population(people=events // 20, events=events, seed=1)), live.settings, _policy(live))
    started = time.monotonic()
    workers, loader = [live.start_worker() for _ in range(count)], live.start_loader()
    _until(lambda: _done(live) > 0)
    first = time.monotonic()
    live.wait_idle(timeout=600)
    elapsed = time.monotonic() - first - 1.5  # wait_idle makes sure for 1.5 s
    return {
        "seconds to the first processed fetch": round(first - started, 1),
        "events/s, published to loaded": round(events / elapsed),
        "worker CPU s per million": round(sum(cpu_seconds(one.pid) for one in workers) / events * 1e6, 1),
        "loader CPU s per million": round(cpu_seconds(loader.pid) / events * 1e6, 1),
        "peak MiB of each worker": ", ".join(str(peak_mib(one.pid)) for one in workers),
        "loader peak MiB": peak_mib(loader.pid),
    }


def _latency(live: Deployment, probes: int, rate: float) -> dict[str, Any]:
    policy = _policy(live)
    messages = prepared(live.settings, policy, int(rate * latency.load_seconds(probes)))
    publish([next(simulate(Population(people=1, events=1, seed=3)))], live.settings, policy)
    live.wait_idle()
    return latency.measure(live, policy, messages, rate, probes)


def _done(live: Deployment) -> int:
    return sum(backlog.done for backlog in (live.look().backlogs or {}).get(WORKER_GROUP, []))


def _until(condition: Callable[[], bool], timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("nothing happened for two minutes: see the logs")
        time.sleep(0.05)


def _policy(live: Deployment) -> IdentityPolicy:
    settings = live.settings
    return load("", settings.pseudonym_secret(), settings.pseudonym_key_id)


if __name__ == "__main__":
    typer.run(main)
