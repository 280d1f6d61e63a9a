"""A deployment of its own for a test: topics, tables, workers and loader on a shared broker and server."""

import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from deploy.kafka_admin.meanings import meanings
from deploy.kafka_admin.status import Observer, Status
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Broker, ClickHouseServer, Process, kafka_jars
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from tests.integration.store import drop

TOUCHLINE = [sys.executable, "-m", "deploy.cli"]
#: For long tests of what no broker changes: one of the two is enough.
on_kafka = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True)
on_tansu = pytest.mark.parametrize("broker", ["tansu"], indirect=True)
IDLE_SECONDS = 1.5  # longer than the pauses between a commit and the next record that it causes


def reconcile(settings: Settings) -> None:
    """Bring owners and profiles in line with all that was loaded."""
    reconciliation = Reconciliation(settings.clickhouse())
    try:
        reconciliation.run_all()
    finally:
        reconciliation.close()


class Deployment:
    """Settings that nobody else uses, and the processes that run with them."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        self.settings = settings
        self.logs = logs
        self.workers: list[Process] = []
        self.loader: Process | None = None
        self._observer = Observer(settings)

    def start_worker(self) -> Process:
        """One more worker."""
        worker = self.process(f"worker-{len(self.workers) + 1}", "worker")
        self.workers.append(worker)
        worker.start()
        return worker

    def start_loader(self) -> Process:
        """The loader, also again after it was stopped."""
        if self.loader is None:
            self.loader = self.process("loader", "load")
        self.loader.start()
        return self.loader

    def look(self) -> Status:
        """Where everything is now."""
        return self._observer.look()

    def wait_idle(self, timeout: float = 120.0, *, reconciling: bool = True) -> Status:
        """Wait until nothing is left to read and stays so; fail when a process that must do it is dead.

        `reconciling`: reconcile at once what the loader would reconcile within seconds; two may do it at the same time.
        """
        deadline = time.monotonic() + timeout
        idle_since: float | None = None
        while True:
            self._require_alive()
            status = self.look()
            now = time.monotonic()
            if not self._idle(status):
                idle_since = None
            elif idle_since is None:
                idle_since = now
            elif now - idle_since >= IDLE_SECONDS:
                if reconciling:
                    reconcile(self.settings)
                return status
            assert now < deadline, f"not idle after {timeout} s: {status.to_dict()}\n{self._task_dumps()}"
            time.sleep(0.2)

    def client(self) -> Client:
        """A new connection to this deployment's database; disconnect it."""
        return connect(self.settings.clickhouse())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        client = self.client()
        try:
            return client.execute(sql)
        finally:
            client.disconnect()

    def env(self) -> dict[str, str]:
        """The environment for further `touchline` commands."""
        return {**os.environ, **self.settings.to_env()}

    def forget_broker(self) -> None:
        """Close this process's connections to a broker that is going to be killed; they are made anew when needed."""
        self._observer.close()

    def start_what_died(self) -> None:
        """Start each process that ended, as a supervisor does after an outage of the broker."""
        for child in self._children():
            if not child.alive:
                child.start()

    def log_tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(
            f"--- {child.name} {child.ending()}\n{child.log_tail(20)}" for child in self._children()
        )

    def _task_dumps(self) -> str:
        """What the tasks of each worker wait for, at the ends of the logs."""
        for worker in self.workers:
            if worker.pid is not None and worker.alive:
                os.kill(worker.pid, signal.SIGUSR1)
        time.sleep(2)
        return "\n".join(
            f"--- {child.name} {child.ending()}\n{child.log_tail(120)}" for child in self._children()
        )

    def close(self) -> None:
        """End all processes."""
        for child in self._children():
            child.stop(timeout=5)
        self._observer.close()

    def _idle(self, status: Status) -> bool:
        backlogs = dict(status.backlogs or {})
        if self.loader is None:
            backlogs.pop(LOADER_GROUP, None)
        return status.backlogs is not None and all(b.idle for group in backlogs.values() for b in group)

    def _require_alive(self) -> None:
        if self.workers:
            assert any(worker.alive for worker in self.workers), f"no worker is alive\n{self.log_tails()}"
        if self.loader is not None:
            assert self.loader.alive, f"the loader is dead\n{self.log_tails()}"

    def _children(self) -> list[Process]:
        return [*self.workers, *([self.loader] if self.loader is not None else [])]

    def process(self, name: str, command: str) -> Process:
        return Process(name, [*TOUCHLINE, command], self.logs / f"{name}.log", self.settings.to_env())


def skip_without_kafka() -> None:
    """Skip the test that asks, unless Apache Kafka can run here."""
    if missing := kafka_jars.missing_programs():
        pytest.skip(f"Apache Kafka needs {' and '.join(missing)} on PATH")


@contextmanager
def deployment(
    broker: Broker,
    clickhouse: ClickHouseServer,
    workers: int = 1,
    *,
    loader: bool = True,
    log_dir: Path | None = None,
    **overrides: Any,
) -> Iterator[Deployment]:
    """Topics, tables, workers and loader; `overrides` are further fields of Settings."""
    name = uuid.uuid4().hex[:10]
    fields: dict[str, Any] = {
        "brokers": broker.address,
        "clickhouse_url": clickhouse.url_of(f"test_{name}"),
        "topic_prefix": f"{name}.",
        "partitions": 4,
        "session_timeout": 6.0,
        "idempotent_producer": int(broker.idempotent),
        "pseudonym_key": "0123456789abcdef" * 4,
        "core": os.environ.get("TOUCHLINE_CORE", "auto"),  # so that a run of the tests may choose it
    }
    running = Deployment(
        Settings(**(fields | overrides)), log_dir or Path(tempfile.mkdtemp(prefix="touchline-test-"))
    )
    create_topics(running.settings)
    migrate(running.settings.clickhouse())
    put_in_force(running.settings.clickhouse(), meanings(running.settings))
    try:
        for _ in range(workers):
            running.start_worker()
        if loader:
            running.start_loader()
        yield running
    finally:
        running.close()
        drop(running.settings.clickhouse())
