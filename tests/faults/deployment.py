"""A deployment whose processes reach the servers through the proxies."""

import sys
from dataclasses import replace
from pathlib import Path

from deploy.kafka_admin.lag import Backlogs
from deploy.sandbox import Process
from schemas.errors import UnavailableError
from schemas.settings import Settings
from tests.faults.nursery import ForkedProcess, Nursery
from tests.faults.proxy import Proxy
from tests.integration.parts import TOUCHLINE, Deployment


def behind_proxies(settings: Settings, brokers: str, clickhouse: Proxy) -> Settings:
    """The settings of processes that reach the servers through proxies; `brokers` are those of Kafka."""
    address = f"127.0.0.1:{clickhouse.port}/{settings.clickhouse().database}"
    url = f"clickhouse://{address}?http_port={clickhouse.second_port}"
    return replace(settings, brokers=brokers, clickhouse_url=url)


class FaultDeployment(Deployment):
    """Its processes reach the servers through the proxies; the harness takes the straight way."""

    def __init__(
        self,
        settings: Settings,
        logs: Path,
        inner: Settings,
        worker: tuple[str, ...],
        loader: tuple[str, ...],
        nursery: Nursery | None = None,
    ) -> None:
        """`worker` and `loader` name the changes of variants.py; none: the real processes run. `nursery` forks them."""
        super().__init__(settings, logs)
        self._inner = inner
        self._changes = {"worker": worker, "load": loader}
        self._nursery = nursery

    def backlogs(self) -> Backlogs | None:
        """How far each group is behind; None while the broker does not say."""
        try:
            return self._observer.backlogs()
        except UnavailableError:
            return None

    def close(self) -> None:
        """End all processes; nobody waits for what they would still commit."""
        for child in self._children():
            child.kill()
        super().close()

    def process(self, name: str, command: str) -> Process:
        env = {**self._inner.to_env(), "FAULTS_DIR": str(self.logs)}
        changes, log = self._changes[command], self.logs / f"{name}.log"
        if self._nursery is not None:
            return ForkedProcess(self._nursery, name, [command, *changes], log, env)
        variant = [sys.executable, "-m", "tests.faults.variants", command, *changes]
        return Process(name, variant if changes else [*TOUCHLINE, command], log, env)
