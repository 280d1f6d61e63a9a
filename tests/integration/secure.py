"""A deployment on a Kafka with SASL_SSL and ACLs and a ClickHouse behind TLS; every process is a user of its own."""

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.kafka_admin.acls import PROCESSES, acls, grant
from deploy.kafka_admin.status import Observer
from deploy.ports import LOOPBACK
from deploy.sandbox import ClickHouseServer, Process
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP, WORKER_GROUP
from tests.integration.parts import TOUCHLINE
from tests.integration.store import drop
from tests.support.secure_kafka import SecureKafka
from tests.support.tls_proxy import TlsProxy

PASSWORDS = {f"touchline-{process}": secrets.token_hex(16) for process in PROCESSES}
KEY = "0123456789abcdef" * 4


class Bank:
    """Settings of each process, with which it logs in as itself; its password is in a file."""

    def __init__(self, kafka: SecureKafka, clickhouse_url: str, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self._common: dict[str, Any] = {
            "topic_prefix": f"{secrets.token_hex(4)}.", "partitions": 2, "session_timeout": 6.0, "pseudonym_key": KEY,
            "clickhouse_url": clickhouse_url,
        }  # fmt: skip
        self.admin = kafka.settings(**self._common)
        self._started: list[Process] = []

    def settings(self, process: str) -> Settings:
        """Of a process that logs in as itself."""
        user = f"touchline-{process}"
        secret = self.folder / f"{user}.password"
        secret.write_text(PASSWORDS[user] + "\n")
        return self.kafka.settings(user, f"@{secret}", **self._common)

    def run(self, process: str, *command: str, **fields: Any) -> "subprocess.CompletedProcess[str]":
        """A command of that process, to its end."""
        env = {**os.environ, **replace(self.settings(process), **fields).to_env()}
        return subprocess.run([*TOUCHLINE, *command], env=env, capture_output=True, text=True, timeout=120)

    def start(self, process: str, *command: str, **fields: Any) -> Process:
        """A command of that process, in the background."""
        env = replace(self.settings(process), **fields).to_env()
        started = Process(process, [*TOUCHLINE, *command], self.folder / f"{process}.log", env)
        started.start()
        self._started.append(started)
        return started

    def wait_idle(self, published: int) -> None:
        """Wait until worker and loader have read everything there is, as the operator sees it."""
        with Observer(self.settings("operator")) as observer:

            def idle() -> bool:
                status = observer.look()
                assert not status.problems, status.problems
                return (status.processed() or 0) >= published and status.lag(WORKER_GROUP) == status.lag(
                    LOADER_GROUP
                ) == 0

            self.wait(idle, "read everything")

    def wait(self, condition: Callable[[], bool], what: str, timeout: float = 90.0) -> None:
        """Fail when a process ends, or nothing comes of it in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            for one in self._started:
                assert one.alive, f"{one.name} ended\n{one.log_tail(30)}"
            assert time.monotonic() < deadline, f"did not {what}\n{self.logs()}"
            time.sleep(0.2)

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {one.name}\n{one.log_tail(20)}" for one in self._started)

    def stop(self) -> None:
        """End what was started, the newest first."""
        for one in reversed(self._started):
            one.stop(timeout=10)


@contextmanager
def bank(kafka: SecureKafka, clickhouse: ClickHouseServer, folder: Path) -> Iterator[Bank]:
    """Nothing runs yet; every process has its rights, and there are no topics."""
    server = kafka.authority.sign("clickhouse")
    with TlsProxy(clickhouse.port, server) as native, TlsProxy(clickhouse.http_port, server) as http:
        database = f"test_{secrets.token_hex(5)}"
        url = (
            f"clickhouses://{LOOPBACK}:{native.port}/{database}?http_port={http.port}&ca={kafka.authority.ca}"
        )
        running = Bank(kafka, url, folder)
        granted = grant(running.admin, acls(running.admin), {})
        assert granted == len(acls(running.admin))
        assert grant(running.admin, acls(running.admin), {}) == 0, "granting again grants nothing"
        try:
            yield running
        finally:
            running.stop()
            drop(running.admin.clickhouse())
