"""How long the partitions of a lost worker stand still: `python -m tests.benchmarks.failover --profiles 200000`

The changelogs of so many profiles, made by the real agents in process, are written to an Apache Kafka of its own. One
worker restores them, a second one stands by, and the first is killed with kill -9. Measured is the time until the
second one reads, beside the session timeout, after which Kafka takes the first for dead. `--replicas 0` is the same
without a copy: the second worker restores everything.
"""

import json
import os
import signal
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from kafka import KafkaProducer

from deploy.cli.output import print_table, remarks
from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import KafkaBroker, Process
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from streams.core import choose_core
from tests.benchmarks.growth import CHUNK, Source
from tests.benchmarks.processes import cpu_seconds, peak_mib
from tests.integration.parts import TOUCHLINE
from tests.support.built_in import CATALOGUE, RULES
from tests.support.turns import Changelogs, TurnsWorker

READY: Final = "ready: state is restored"
PATIENCE_SECONDS: Final = 1_800.0


def changelogs(profiles: int, touchpoints: int) -> Changelogs:
    """What the agents write of people who come so often each, compacted."""
    choose_core("auto", CATALOGUE, RULES)
    found: Changelogs = {}
    worker, source = TurnsWorker(1, changelogs=found), Source(step_ms=100)
    for start in range(0, profiles, CHUNK // 4):
        for _ in range(touchpoints):
            people = iter(range(start, min(profiles, start + CHUNK // 4)))
            worker.feed({(TOUCHPOINTS.name, 0): [(key, value, None) for _, key, value in source.of(people)]})
    return found


def write(found: Changelogs, settings: Settings) -> int:
    """Write changelogs to Kafka. Returns how many records."""
    producer = KafkaProducer(bootstrap_servers=settings.brokers, linger_ms=50, batch_size=1 << 19)
    count = 0
    for (topic, partition), kept in found.items():
        for key, value in kept.items():
            producer.send(settings.topic(topic), key=key, value=value, partition=partition)
            count += 1
    producer.flush()
    producer.close()
    return count


def wait(condition: Callable[[], bool], what: str) -> None:
    """Look often; raises TimeoutError."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {PATIENCE_SECONDS:.0f} s: {what}")
        time.sleep(0.02)


def gauges(port: int) -> dict[str, float]:
    """The metrics of a worker without labels, and the sums of the others, by name."""
    found: dict[str, float] = {}
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return found
    for line in lines:
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


def main(
    profiles: Annotated[int, typer.Option(min=1)] = 200_000,
    touchpoints: Annotated[int, typer.Option(min=1, help="Of each profile.")] = 2,
    session: Annotated[float, typer.Option(help="TOUCHLINE_SESSION_TIMEOUT, seconds.")] = 10.0,
    replicas: Annotated[int, typer.Option(min=0, max=1)] = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure and print a table, or JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = KafkaBroker(folder / "kafka", folder)
        broker.start()
        settings = Settings(
            brokers=broker.address, partitions=1, session_timeout=session, standby_replicas=replicas
        )
        ports = [free_port(), free_port()]
        workers = [
            Process(
                f"worker-{number}", [*TOUCHLINE, "worker"], folder / f"worker-{number}.log",
                replace(settings, metrics_port=port).to_env(),
            )
            for number, port in enumerate(ports)
        ]  # fmt: skip
        try:
            create_topics(settings)
            remarks.print("making the changelogs")
            records = write(changelogs(profiles, touchpoints), settings)
            remarks.print(f"{records:,} changelog records are written; the first worker restores them")
            owner, successor = workers
            owner.start()
            wait(lambda: READY in owner.log_tail(50), "the first worker reads")
            successor.start()
            wait(lambda: "it stands by" in successor.log_tail(50), "the second worker stands by")
            if replicas:
                wait(
                    lambda: (
                        (found := gauges(ports[1])).get("touchline_worker_standby_partitions", 0) >= 3
                        and found["touchline_worker_standby_lag_records"] == 0
                    ),
                    "the copies are up to date",
                )
            assert owner.pid is not None
            assert successor.pid is not None
            time.sleep(2)
            spent, said = cpu_seconds(successor.pid), successor.log_tail(200).count(READY)
            copy = peak_mib(successor.pid)
            began = time.monotonic()
            os.kill(owner.pid, signal.SIGKILL)
            wait(lambda: successor.log_tail(200).count(READY) > said, "the second worker reads")
            took, spent = time.monotonic() - began, cpu_seconds(successor.pid) - spent
            figures = {
                "profiles": profiles,
                "changelog records": records,
                "from kill -9 until the other worker reads, s": round(took, 2),
                "of that beside the session timeout, s": round(took - session, 2),
                "CPU of that worker meanwhile, s": round(spent, 2),
                "its memory before, peak MiB": copy,
            }
        finally:
            for worker in workers:
                worker.stop(timeout=5)
            broker.stop()
    if as_json:
        typer.echo(json.dumps(figures))
        return
    print_table(("measured", "value"), [(what, f"{value:,}") for what, value in figures.items()])


if __name__ == "__main__":
    typer.run(main)
