"""The scene of the alerts: every process of a deployment, behind proxies, each with metrics that Prometheus reads."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kafka import KafkaProducer

from deploy.ingest.publisher import message
from deploy.kafka_admin.meanings import meanings
from deploy.kafka_admin.topics import create_topics
from deploy.ports import LOOPBACK, free_port
from deploy.sandbox import Process
from schemas.keys import partition_of
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from streams.identity.policy.load import configured
from tests.alerts.prometheus import Prometheus
from tests.faults.arena import Arena, arena
from tests.integration.parts import TOUCHLINE
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint
from tests.support.webhooks import SECRET

PATIENCE = 180.0
#: A profile at which a limit refused one link is quarantined, and a profile has one loyalty id.
POLICY = "[limits]\nquarantine_after = 1\n\n[types.loyalty_id]\nlimit = 1\n"
WEBHOOKS = """
[endpoints.crm]
url = "http://127.0.0.1:{port}/hook"
changes = ["stage"]
secret = "{secret}"
allow_private = true
timeout = 2
retry = {{ first = "200ms", longest = "1s", give_up = "1h" }}
"""


class Scene:
    """Processes by name, what breaks them, and what is published meanwhile."""

    def __init__(self, where: Arena, program: str, folder: Path) -> None:
        self.arena = where
        self.folder = folder
        (folder / "identity.toml").write_text(POLICY)
        self.receiver_port = free_port()
        (folder / "webhooks.toml").write_text(WEBHOOKS.format(port=self.receiver_port, secret=SECRET))
        self.settings = Settings(
            brokers=where.kafka.address, clickhouse_url=where.clickhouse.url_of("alerts"), partitions=2,
            topic_prefix="alerts.", session_timeout=6.0, pseudonym_key="0123456789abcdef" * 4,
            identity_policy=str(folder / "identity.toml"), webhooks=str(folder / "webhooks.toml"),
        )  # fmt: skip
        proxy = where.clickhouse_proxy
        #: what the processes have: they reach Kafka and ClickHouse through the proxies
        self.inner = replace(
            self.settings, brokers=where.kafka.proxied,
            clickhouse_url=f"clickhouse://{LOOPBACK}:{proxy.port}/alerts?http_port={proxy.second_port}",
        )  # fmt: skip
        self.ports: dict[str, int] = {}
        self.processes: dict[str, Process] = {}
        self.collector_port = free_port()
        self._add("worker", [sys.executable, "-m", "tests.alerts.worker"])
        self._add("loader", [*TOUCHLINE, "load"])
        self._add("collector", [*TOUCHLINE, "collect", "--open", "--port", str(self.collector_port)])
        self._add("page", [*TOUCHLINE, "page", "--port", str(free_port())])
        table = str(folder / "states.db")
        self._add("serve", [*TOUCHLINE, "serve", "--open", "--port", str(free_port()), "--table", table])
        self._add("webhooks", [*TOUCHLINE, "webhooks", "run", "--table", str(folder / "webhooks.db")])
        #: a second collector with other files than the first one's; it is started to differ
        (folder / "other.toml").write_text(POLICY.replace("quarantine_after = 1", "quarantine_after = 2"))
        other = replace(self.inner, identity_policy=str(folder / "other.toml"))
        self._add("stranger", [*TOUCHLINE, "collect", "--open", "--port", str(free_port())], other)
        self.prometheus = Prometheus(program, folder / "prometheus")
        self.watch()
        self._policy = configured(self.settings)
        self._sent = 0
        self._feeding = threading.Event()

    def _add(self, name: str, command: Sequence[str], settings: Settings | None = None) -> None:
        port = self.ports[name] = free_port()
        env = replace(settings or self.inner, metrics_port=port).to_env() | {"ALERTS_DIR": str(self.folder)}
        self.processes[name] = Process(name, command, self.folder / f"{name}.log", env)

    def watch(self, *more: str) -> None:
        """Let Prometheus read every process but the stranger, and these."""
        names = [name for name in self.ports if name != "stranger"]
        self.prometheus.watch({name: self.ports[name] for name in (*names, *more)})

    def start(self) -> None:
        """Start everything but the stranger, and wait until all are ready."""
        create_topics(self.settings)
        migrate(self.settings.clickhouse())
        put_in_force(self.settings.clickhouse(), meanings(self.settings))
        for name, process in self.processes.items():
            if name != "stranger":
                process.start()
        self.prometheus.process.start()
        self.wait(self.prometheus.ready, "Prometheus")
        self.wait(
            lambda: len(self.prometheus.ask("touchline_ready == 1")) == 6, "six processes that are ready"
        )

    def stop(self) -> None:
        """End everything."""
        self._feeding.clear()
        self.arena.calm()
        for process in (*self.processes.values(), self.prometheus.process):
            process.kill()

    def wait(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait for a condition."""
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s\n{self.told()}"
            time.sleep(0.25)

    def told(self) -> str:
        """What fires, and the ends of the logs."""
        logs = (f"--- {one.name} {one.ending()}\n{one.log_tail(8)}" for one in self.processes.values())
        return "\n".join((str(self.prometheus.firing()), *logs))

    @contextmanager
    def weak(self, weakness: str) -> Iterator[None]:
        """The worker has this weakness (tests/alerts/worker.py) for a while."""
        (self.folder / weakness).touch()
        try:
            yield
        finally:
            (self.folder / weakness).unlink()

    @contextmanager
    def feeding(self, rate: float) -> Iterator[None]:
        """Touchpoints of new people, so many a second, for a while; they go straight to Kafka."""
        feeder = threading.Thread(target=self._feed, args=(rate,), daemon=True)
        self._feeding.set()
        feeder.start()
        try:
            yield
        finally:
            self._feeding.clear()
            feeder.join(60)

    def _feed(self, rate: float) -> None:
        producer = self._producer()
        began, sent = time.monotonic(), 0
        while self._feeding.is_set():
            while sent < (time.monotonic() - began) * rate:
                self._send(producer, self.newcomer())
                sent += 1
            time.sleep(0.02)
        producer.close(timeout=10)

    def newcomer(self, *ids: tuple[str, str]) -> Touchpoint:
        """A touchpoint of now, of these identifiers; without any, of a person whom nobody knows."""
        self._sent += 1
        now = int(time.time() * 1000)
        known = ids or (("cookie", f"c{self._sent}"), ("customer_id", f"u{self._sent}"))
        return touchpoint(f"alert-{self._sent}", occurred_at=now, received_at=now, ids=list(known))

    def send(self, *touchpoints: Touchpoint) -> None:
        """Publish touchpoints, and wait until Kafka has them."""
        producer = self._producer()
        for one in touchpoints:
            self._send(producer, one)
        producer.close(timeout=30)

    def produce(self, topic: str, value: bytes) -> None:
        """Append a record, whatever it is, to a topic."""
        producer = self._producer()
        producer.send(self.settings.topic(topic), key=b"default/x", value=value, partition=0).get(30)
        producer.close()

    def _producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=self.settings.brokers, acks="all", linger_ms=5)

    def _send(self, producer: KafkaProducer, one: Touchpoint) -> None:
        key, value = message(one, self._policy, CATALOGUE)
        partition = partition_of(key, self.settings.partitions)
        producer.send(self.settings.topic(TOUCHPOINTS.name), key=key, value=value, partition=partition)


@contextmanager
def scene(program: str, folder: Path) -> Iterator[Scene]:
    """Everything started and ready; `program` is Prometheus."""
    with arena() as where:
        running = Scene(where, program, folder)
        try:
            running.start()
            yield running
        finally:
            running.stop()
