"""How fast the whole path is: `make bench`, or `python -m tests.benchmarks.end_to_end --broker kafka --json`.

For each broker, with one worker and one loader, everything on this machine:
- start: from nothing to a worker that owns its partitions and a loader (the broker's own start apart);
- drain: a backlog of simulated events, from the first processed to the last row in ClickHouse, with the CPU time
  of worker and loader per million events and their peak memory;
- latency: probes published one by one beside a steady load, until their state is on journey-states and until a
  query of ClickHouse returns their row.
Absolute figures are this machine's; the next run's compare only if the machine is as quiet.
"""

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer

from deploy.cli.output import print_table, remarks
from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, TansuBroker
from deploy.simulation.population import Population, simulate
from deploy.sources.publisher import Publisher, publish
from schemas.records import Touchpoint
from schemas.topics import LOADER_GROUP, WORKER_GROUP
from streams.identity.load_policy import load
from streams.identity.policy import IdentityPolicy
from tests.benchmarks.processes import cpu_seconds, peak_mib
from tests.integration.parts import Deployment, deployment
from tests.touchpoints import touchpoint

BROKERS = ("sandbox", "kafka")


def main(
    events: Annotated[int, typer.Option(help="Events of the backlog.")] = 60_000,
    probes: Annotated[int, typer.Option(help="Latency probes.")] = 200,
    load_rate: Annotated[float, typer.Option(help="Events a second beside the probes.")] = 1_000,
    broker: Annotated[str, typer.Option(help="sandbox, kafka or both.")] = "both",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure the whole path and print a table, or JSON."""
    results = []
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        clickhouse = ClickHouseServer(Path(folder) / "clickhouse", Path(folder))
        clickhouse.start()
        try:
            for name in BROKERS if broker == "both" else (broker,):
                results.append(_measure(name, Path(folder) / name, clickhouse, events, probes, load_rate))
        finally:
            clickhouse.stop()
    if as_json:
        typer.echo(json.dumps(results))
        return
    rows = [[figure, *(result[figure] for result in results)] for figure in results[0]]
    print_table(
        ["", *(str(result["broker"]) for result in results)], rows[1:], title=f"{events:,} simulated events"
    )


def _measure(
    name: str, folder: Path, clickhouse: ClickHouseServer, events: int, probes: int, load_rate: float
) -> dict[str, Any]:
    folder.mkdir()
    broker: Broker = TansuBroker(folder) if name == "sandbox" else KafkaBroker(folder / "data", folder)
    broker.start()
    try:
        remarks.print(f"{name}: draining {events:,} events")
        result: dict[str, Any] = {"broker": name}
        with deployment(broker, clickhouse, workers=0, loader=False, log_dir=folder) as live:
            result |= _drain(live, events)
        remarks.print(f"{name}: {probes} probes beside {load_rate:,.0f} events/s")
        with deployment(broker, clickhouse, log_dir=folder) as live:
            result |= _latency(live, probes, load_rate)
        return result
    finally:
        broker.stop()


def _drain(live: Deployment, events: int) -> dict[str, Any]:
    publish(simulate(Population(people=events // 20, events=events, seed=1)), live.settings, _policy(live))
    started = time.monotonic()
    worker, loader = live.start_worker(), live.start_loader()
    _until(lambda: _done(live, WORKER_GROUP) > 0)
    first = time.monotonic()
    live.wait_idle(timeout=600)
    elapsed = time.monotonic() - first - 1.5  # wait_idle makes sure for 1.5 s
    return {
        "seconds to the first processed fetch": round(first - started, 1),
        "events/s, published to loaded": round(events / elapsed),
        "worker CPU s per million": round(cpu_seconds(worker.pid) / events * 1e6, 1),
        "loader CPU s per million": round(cpu_seconds(loader.pid) / events * 1e6, 1),
        "worker peak MiB": peak_mib(worker.pid),
        "loader peak MiB": peak_mib(loader.pid),
    }


def _latency(live: Deployment, probes: int, load_rate: float) -> dict[str, Any]:
    policy = _policy(live)
    publish([_probe(-1)], live.settings, policy)
    live.wait_idle()
    stop = threading.Event()
    load = threading.Thread(target=_load, args=(live, policy, load_rate, stop), daemon=True)
    load.start()
    time.sleep(2)
    states = StateTimes(live)
    to_row, published = [], []
    client = live.client()
    with Publisher(live.settings, policy) as publisher:
        for number in range(probes):
            published.append(time.monotonic())
            publisher.send(_probe(number))
            publisher.flush()
            query = f"SELECT count() FROM touchpoints WHERE event_id = 'probe-{number}'"
            _until(lambda query=query: client.execute(query)[0][0] > 0, pause=0.003)
            to_row.append(time.monotonic() - published[-1])
    client.disconnect()
    seen = states.stop()
    stop.set()
    load.join()
    to_state = [seen[number] - published[number] for number in range(probes) if number in seen]
    return {f"{what}, {name}": value for what, times in (("ms to journey-states", to_state), ("ms to a row", to_row))
            for name, value in _percentiles(times).items()}  # fmt: skip


class StateTimes:
    """Notes when the state of each probe's profile appears on journey-states."""

    def __init__(self, live: Deployment) -> None:
        self._seen: dict[int, float] = {}
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._live = live
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def stop(self) -> dict[int, float]:
        """Probe number → monotonic time of its first state."""
        time.sleep(0.5)
        self._stop.set()
        self._thread.join()
        return self._seen

    def _run(self) -> None:
        topic = self._live.settings.topic("journey-states")
        consumer = KafkaConsumer(
            topic, bootstrap_servers=self._live.settings.brokers, auto_offset_reset="earliest",
            enable_auto_commit=False, fetch_max_wait_ms=10,
        )  # fmt: skip
        while not self._stop.is_set():
            for records in consumer.poll(timeout_ms=20).values():
                for record in records:
                    start = (record.value or b"").find(b"probe-")
                    if start >= 0:
                        digits = record.value[start + 6 : start + 12].split(b"!")[0]
                        self._seen.setdefault(int(digits), time.monotonic())
            self._ready.set()
        consumer.close()


def _probe(number: int) -> Touchpoint:
    probe = touchpoint(f"probe-{number}", ids=[("customer_id", f"probe-{number}!")])
    probe["received_at"] = probe["occurred_at"] = int(time.time() * 1000)
    return probe


def _load(live: Deployment, policy: IdentityPolicy, rate: float, stop: threading.Event) -> None:
    def until_stopped() -> Iterator[Touchpoint]:
        for event in simulate(Population(people=2_000, events=1_000_000, seed=2)):
            if stop.is_set():
                return
            yield event

    publish(until_stopped(), live.settings, policy, rate=rate)


def _percentiles(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"p50": round(cuts[49] * 1000), "p99": round(cuts[98] * 1000)}


def _done(live: Deployment, group: str) -> int:
    assert group in (WORKER_GROUP, LOADER_GROUP)
    return sum(backlog.done for backlog in (live.look().backlogs or {}).get(group, []))


def _until(condition: Any, pause: float = 0.05, timeout: float = 120) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("nothing happened for two minutes: see the logs")
        time.sleep(pause)


def _policy(live: Deployment) -> IdentityPolicy:
    settings = live.settings
    return load("", settings.pseudonym_secret(), settings.pseudonym_key_id)


if __name__ == "__main__":
    typer.run(main)
