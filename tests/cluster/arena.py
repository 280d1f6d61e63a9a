"""Where the cluster's faults are played: three brokers behind a proxy each, ClickHouse, and trials with replicas."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import ClickHouseServer, Process
from deploy.simulation.population import Population, simulate
from schemas.errors import UnavailableError
from schemas.records import Touchpoint
from schemas.settings import Settings
from sinks.clickhouse.migrate import migrate
from tests.cluster.nodes import Cluster, Node, running
from tests.faults.arena import Arena, Scale
from tests.faults.deployment import FaultDeployment, behind_proxies
from tests.faults.proxy import Proxy
from tests.faults.trial import Trial
from tests.integration.parts import TOUCHLINE
from tests.integration.store import drop

SESSION_SECONDS = 6.0
#: How often a command is given to a cluster that does not answer in time, before it counts as broken.
ATTEMPTS = 10
RATE = 200.0  #: events published a second


@dataclass
class ClusterArena(Arena):
    """The cluster, ClickHouse and the proxies; `kafka` is the first broker."""

    cluster: Cluster = field(kw_only=True)

    def calm(self) -> None:
        """Everything runs and forwards, by its own clock, and every replica is in sync."""
        for broker in self.cluster.brokers:
            broker.environment = {}
            broker.proxy.calm()
        self.clickhouse_proxy.calm()
        self.cluster.start()
        if not running(self.clickhouse):
            self.clickhouse.start()
        self.cluster.await_in_sync(Settings(brokers=self.cluster.address))


@contextmanager
def cluster_arena(*, separate: bool = True) -> Iterator[ClusterArena]:
    """Start the servers; `separate`: the controllers are processes of their own."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-cluster-"))
    with ExitStack() as stack:
        stack.callback(_forget, folder)
        clickhouse = ClickHouseServer(folder / "clickhouse", folder)
        proxies = [stack.enter_context(Proxy(free_port())) for _ in range(3)]
        before_clickhouse = stack.enter_context(Proxy(clickhouse.port, second_target=clickhouse.http_port))
        cluster = Cluster(folder, folder, proxies, separate=separate)
        stack.callback(clickhouse.stop)
        stack.callback(cluster.stop)
        cluster.start()
        clickhouse.start()
        yield ClusterArena(
            folder, cluster.brokers[0], clickhouse, proxies[0], before_clickhouse, cluster=cluster
        )


def _forget(folder: Path) -> None:
    """Remove the data of servers, and all if no trial has left its logs."""
    for data in (
        "kafka-1",
        "kafka-2",
        "kafka-3",
        "controller-0",
        "controller-1",
        "controller-2",
        "clickhouse",
    ):
        shutil.rmtree(folder / data, ignore_errors=True)
    if not any(path.is_dir() for path in folder.iterdir()):
        shutil.rmtree(folder)


class ClusterDeployment(FaultDeployment):
    """Its processes may have a wrapper around their command, and further variables."""

    def __init__(self, settings: Settings, logs: Path, inner: Settings) -> None:
        super().__init__(settings, logs, inner, (), ())
        self.around: dict[str, Sequence[str]] = {}  #: process → what its command comes after
        self.variables: dict[str, dict[str, str]] = {}  #: process → more of its environment

    def process(self, name: str, command: str) -> Process:
        env = {**self._inner.to_env(), **self.variables.get(name, {})}
        return Process(
            name, [*self.around.get(name, ()), *TOUCHLINE, command], self.logs / f"{name}.log", env
        )


@dataclass
class ClusterTrial(Trial):
    """A trial on the cluster."""

    live: ClusterDeployment
    where: ClusterArena = field(kw_only=True)

    @property
    def cluster(self) -> Cluster:
        return self.where.cluster

    @property
    def rate(self) -> float:
        """Events published a second, well below what one worker takes on a machine that seven brokers share."""
        return RATE

    def said(self, *words: str) -> bool:
        """Whether a log of a worker or the loader has each of these words."""
        return all(any(word in child.log_tail(2000) for child in self.children()) for word in words)

    def start(self, workers: int = 2) -> None:
        """Start workers and the loader."""
        for _ in range(workers):
            self.live.start_worker()
        self.live.start_loader()

    def restart_workers(self) -> None:
        """All anew, with the commands and variables of now."""
        for worker in self.live.workers:
            self.resting.add(worker.name)
            worker.stop()
        names = [worker.name for worker in self.live.workers]
        self.live.workers[:] = [self.live.process(name, "worker") for name in names]
        for worker in self.live.workers:
            worker.start()
        self.resting -= set(names)

    def broker(self) -> Node:
        """One of the brokers that run."""
        return self.random.choice([one for one in self.cluster.brokers if running(one)])


@contextmanager
def cluster_trial(
    where: ClusterArena,
    seed: int,
    events: int,
    *,
    workers: int = 2,
    scale: Scale = Scale.USUAL,
    population: Population | None = None,
    started: bool = True,
) -> Iterator[ClusterTrial]:
    """A deployment of its own with three replicas of each topic; not `started`: the fault starts its processes."""
    name = uuid.uuid4().hex[:10]
    settings = Settings(
        brokers=where.cluster.address,
        clickhouse_url=where.clickhouse.url_of(f"fault_{name}"),
        topic_prefix=f"{name}.",
        partitions=4,
        replication=3,
        session_timeout=SESSION_SECONDS,
        pseudonym_key="0123456789abcdef" * 4,
    )
    inner = replace(
        behind_proxies(settings, where.cluster.proxied, where.clickhouse_proxy),
        state_dir=str(where.folder / name / "checkpoints"),
        checkpoint_seconds=5.0,
    )
    logs = where.folder / name
    logs.mkdir()
    where.calm()
    _insist(lambda: create_topics(settings))
    migrate(settings.clickhouse())
    live = ClusterDeployment(settings, logs, inner)
    simulated: list[Touchpoint] = list(
        simulate(population or Population(people=max(events // 15, 10), events=events, seed=seed))
    )
    playing = ClusterTrial(where, live, Random(seed), simulated, scale=scale, where=where)
    try:
        if started:
            playing.start(workers)
        yield playing
    finally:
        playing.close()
        drop(settings.clickhouse())


def _insist(action: Callable[[], object]) -> None:
    """Do what may take a crowded machine longer than a command's patience."""
    for _ in range(ATTEMPTS):
        with suppress(UnavailableError):
            action()
            return
    action()
