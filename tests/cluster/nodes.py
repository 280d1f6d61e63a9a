"""Three nodes of Apache Kafka on loopback, with controllers of their own or in the same processes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.kafka_admin.client import admin
from deploy.ports import LOOPBACK, free_port, listens
from deploy.sandbox.brokers import KafkaBroker, cluster_id
from deploy.sandbox.server import Server
from schemas.errors import UnavailableError
from schemas.settings import Settings
from tests.faults.kafka import TwoDoorKafka
from tests.faults.proxy import Proxy

BROKERS: Final = 3
#: Node ids of controllers that are no brokers.
CONTROLLERS_FROM: Final = 101
#: A replica that does not catch up within so long leaves the in-sync replicas.
LAG_SECONDS: Final = 8.0
IN_SYNC_SECONDS: Final = 120.0
#: What a production cluster of three has; short times, so that a trial is short.
REPLICATED: Final = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "replica.lag.time.max.ms": str(int(LAG_SECONDS * 1000)),
    "broker.session.timeout.ms": "9000",
    "controlled.shutdown.enable": "true",
    "num.recovery.threads.per.data.dir": "2",
}


class Node(TwoDoorKafka):
    """A broker of a cluster; `roles` says whether it is a controller, too."""

    def __init__(
        self, folder: Path, logs: Path, proxy: Proxy, number: int, cluster: str, controller_port: int
    ) -> None:
        super().__init__(folder, logs, proxy)
        self.name = f"kafka-{number}"
        self.number = number
        self.proxy = proxy
        self.environment: dict[str, str] = {}  #: of its next start
        self._cluster_id = cluster
        self.controller_port = controller_port
        self.voters: Sequence[tuple[int, int]] = ()  #: node ids and ports of the controllers

    @property
    def voting(self) -> bool:
        """Whether it is a controller, too."""
        return self.number in dict(self.voters)

    def launch(self) -> None:
        if self.process is not None:
            self.process.env = dict(self.environment)
        super().launch()

    def _environment(self) -> dict[str, str]:
        return dict(self.environment)

    def properties(self) -> str:
        own = {**REPLICATED, "node.id": str(self.number), "controller.quorum.voters": _voters(self.voters)}
        if not self.voting:
            own |= {"process.roles": "broker", "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port}"}
        return laid_over(super().properties(), own)


class Controller(KafkaBroker):
    """A node that is a controller only."""

    def __init__(self, folder: Path, logs: Path, number: int, cluster: str, controller_port: int) -> None:
        super().__init__(folder, logs, controller_port)
        self.name = f"controller-{number}"
        self.number = number
        self._cluster_id = cluster
        self.controller_port = controller_port
        self.voters: Sequence[tuple[int, int]] = ()

    def _answers(self) -> bool:
        return listens(LOOPBACK, self.controller_port)

    def properties(self) -> str:
        own = {
            **REPLICATED, "node.id": str(self.number), "controller.quorum.voters": _voters(self.voters),
            "process.roles": "controller", "listeners": f"CONTROLLER://{LOOPBACK}:{self.controller_port}",
        }  # fmt: skip
        return laid_over(super().properties(), own, without=("advertised.listeners",))


class Cluster:
    """The nodes. `separate`: the controllers are processes of their own."""

    def __init__(self, folder: Path, logs: Path, proxies: Sequence[Proxy], *, separate: bool) -> None:
        made = cluster_id()
        ports = [free_port() for _ in range(BROKERS)]
        self.brokers = [
            Node(folder / f"kafka-{number}", logs, proxy, number, made, port)
            for number, (proxy, port) in enumerate(zip(proxies, ports, strict=True), start=1)
        ]
        self.controllers = (
            [
                Controller(folder / f"controller-{n}", logs, CONTROLLERS_FROM + n, made, free_port())
                for n in range(BROKERS)
            ]
            if separate
            else []
        )
        voting: Sequence[Node | Controller] = self.controllers or self.brokers
        self.voters = [(node.number, node.controller_port) for node in voting]
        for node in self.nodes():
            node.voters = self.voters

    def nodes(self) -> list[Node | Controller]:
        """Controllers first: brokers wait for them."""
        return [*self.controllers, *self.brokers]

    @property
    def address(self) -> str:
        """Bootstrap servers, the straight way."""
        return ",".join(broker.address for broker in self.brokers)

    @property
    def proxied(self) -> str:
        """Bootstrap servers through the proxies."""
        return ",".join(broker.proxied for broker in self.brokers)

    def start(self) -> None:
        """Start whatever does not run, and wait until all answer. Raises UnavailableError."""
        started = [node for node in self.nodes() if not running(node)]
        for node in started:
            node.launch()
        for node in started:
            node.await_ready()

    def stop(self) -> None:
        """End all; nobody needs their data any more."""
        for node in self.nodes():
            node.kill()

    def active_controller(self) -> Node | Controller:
        """The controller that leads the quorum. Raises UnavailableError if no node says who it is."""
        epoch, leader = max(self._quorum_states(), default=(-1, -1))
        for node in self.nodes():
            if node.number == leader and running(node):
                return node
        raise UnavailableError(f"no controller leads the quorum (the last was {leader} in epoch {epoch})")

    def _quorum_states(self) -> Iterator[tuple[int, int]]:
        voters = dict(self.voters)
        for node in self.nodes():
            path = node.data_dir / "log" / "__cluster_metadata-0" / "quorum-state"
            if node.number in voters and running(node) and path.exists():
                state = json.loads(path.read_text())
                yield state["leaderEpoch"], state["leaderId"]

    def partitions(self, settings: Settings, topic: str) -> list[dict[str, Any]]:
        """Of each partition of a topic: its leader, replicas and in-sync replicas. Raises UnavailableError."""
        with admin(settings) as client:
            (described,) = client.describe_topics([settings.topic(topic)])
        return sorted(described["partitions"], key=lambda one: one["partition_index"])

    def leader_of(self, settings: Settings, topic: str, partition: int = 0) -> Node:
        """The broker that leads a partition. Raises UnavailableError if none does."""
        leader = self.partitions(settings, topic)[partition]["leader_id"]
        for broker in self.brokers:
            if broker.number == leader:
                return broker
        raise UnavailableError(f"partition {partition} of {topic} has no leader")

    def await_in_sync(self, settings: Settings) -> None:
        """Wait until every replica of every topic is in sync, internal topics included."""
        deadline = time.monotonic() + IN_SYNC_SECONDS
        while missing := self._out_of_sync(settings):
            assert time.monotonic() < deadline, f"replicas do not catch up: {missing[:3]}"
            time.sleep(0.3)

    def _out_of_sync(self, settings: Settings) -> list[str]:
        try:
            with admin(settings) as client:
                topics = client.describe_topics()
        except UnavailableError as error:
            return [str(error)]
        return [
            f"{topic['name']}-{one['partition_index']}"
            for topic in topics
            for one in topic["partitions"]
            if one["leader_id"] < 0 or len(one["isr_nodes"]) < len(one["replica_nodes"])
        ]


def running(node: Server) -> bool:
    """Whether its process runs."""
    return node.process is not None and node.process.alive


def laid_over(text: str, values: Mapping[str, str], without: Sequence[str] = ()) -> str:
    """Properties with other values for some names, and without others."""
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in {*values, *without}]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"


def _voters(voters: Sequence[tuple[int, int]]) -> str:
    return ",".join(f"{number}@{LOOPBACK}:{port}" for number, port in voters)
