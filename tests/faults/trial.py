"""A trial: a fault that is played on an arena, with topics, tables and processes of its own."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from kafka import KafkaProducer

from deploy.ingest.publisher import message
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Process
from deploy.simulation.population import Population, simulate
from schemas.keys import partition_of
from schemas.records import IdentityCorrection, Touchpoint
from schemas.settings import Settings
from schemas.topics import ALL, TOUCHPOINTS
from sinks.clickhouse.migrate import migrate
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from tests.faults.aims import Aims
from tests.faults.arena import Arena, Scale
from tests.faults.deployment import FaultDeployment, behind_proxies
from tests.faults.kafka import delete_topics
from tests.faults.proxy import Proxy
from tests.integration.parts import reconcile
from tests.integration.store import drop
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import START, touchpoint

PATIENCE = 120.0
#: Time limits are for a machine with nothing else to do; on a crowded one all takes longer, and nothing is wrong.
CROWDED = 3
#: Between the death of a process and its next start: `touchline up` waits a second the first time, then longer.
PAUSE_SECONDS = 0.5
#: What `Trial.resting` calls the server that is shared.
CLICKHOUSE = "clickhouse"
#: Between two looks at what is waited for: a look asks Kafka or ClickHouse, which have other things to do.
LOOK_SECONDS = 0.2
#: Between two probes that bring about a moment once everything is fed.
STIR_SECONDS = 0.5
Of = TypeVar("Of")
POISON = b"\xc3\x01 not a touchpoint"


@dataclass
class Trial:
    """One fault, once: a deployment under load, a supervisor for its processes, what was published, what was seen."""

    arena: Arena
    live: "FaultDeployment"
    random: Random
    events: list[Touchpoint]
    control: bool = False
    scale: Scale = Scale.USUAL
    corrections: list[IdentityCorrection] = field(default_factory=list)  #: what was published of them
    poison: int = 0  #: records that cannot be read, published so far
    recoveries: list[float] = field(default_factory=list)  #: seconds
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  #: what a fault found wrong besides the oracle
    restarts: int = 0
    crashes: Counter[str] = field(default_factory=Counter)  #: what processes said that ended by themselves
    #: names of processes that are down on purpose; `CLICKHOUSE` is one
    resting: set[str] = field(default_factory=set)
    aimed: int = 0  #: moments that a fault was to meet
    met: int = 0  #: of these, how many it met
    kept: bool = False  #: whether its topics and tables stay
    _died: dict[str, float] = field(default_factory=dict)
    _feeder: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _feed_error: BaseException | None = None
    _probes: int = 0

    def of(self, short: Of, usual: Of, long: Of | None = None) -> Of:
        """What the scale says; `long` is as usual unless it is given."""
        return (short, usual, usual if long is None else long)[self.scale]

    @cached_property
    def _policy(self) -> IdentityPolicy:
        settings = self.live.settings
        return load("", settings.pseudonym_secret(), settings.pseudonym_key_id)

    @property
    def session(self) -> float:
        """Seconds without a heartbeat after which the broker takes a worker for dead."""
        return self.live.settings.session_timeout

    @property
    def rate(self) -> float:
        """Events published a second while a fault is played: well below what one worker takes."""
        return self.of(150.0, 400.0)

    # moments

    @property
    def aims(self) -> Aims:
        """What this trial's processes are to meet, and what they noted."""
        return Aims(self.live.logs)

    def aim(self, moment: str) -> int:
        """Let the next process that comes to the moment fail there. Returns what `meet` has to be told."""
        self.aimed += 1
        self.aims.aim(moment)
        return len(self.aims.notes(moment))

    def meet(self, moment: str, before: int, *, quietly: bool = False) -> None:
        """Wait until a process has come to the moment that was aimed at; `quietly`: send nothing to bring it about."""
        self._bring_about(
            lambda: len(self.aims.notes(moment)) > before, f"the moment {moment}", quietly=quietly
        )

    def catch(self, proxy: Proxy, tell: Callable[[], object], count: int) -> None:
        """Tell a proxy to catch so many requests, which are one moment, and wait until it has."""
        self.aimed += 1
        before = proxy.caught
        tell()
        self._bring_about(lambda: proxy.caught >= before + count, "requests to catch")

    def _bring_about(self, met: Callable[[], bool], what: str, *, quietly: bool = False) -> None:
        stirred = time.monotonic()

        def met_at_last() -> bool:
            nonlocal stirred
            if not (quietly or self.feeding) and time.monotonic() - stirred > STIR_SECONDS:
                self.send_probes()
                stirred = time.monotonic()
            return met()

        self.wait(met_at_last, what, 60)
        self.met += 1

    # processes

    def children(self) -> list[Process]:
        """Workers and loaders."""
        return [*self.live.workers, *([self.live.loader] if self.live.loader is not None else [])]

    def tend(self) -> None:
        """Start again what died, as the supervisor of `touchline up` does."""
        self._tend_clickhouse()
        now = time.monotonic()
        for child in self.children():
            if child.alive or child.name in self.resting:
                self._died.pop(child.name, None)
            elif child.name not in self._died:
                self._died[child.name] = now
                if child.returncode == 1:
                    self.crashes[child.log_tail(1)] += 1
            elif now - self._died[child.name] >= PAUSE_SECONDS:
                child.start()
                self.restarts += 1

    def _tend_clickhouse(self) -> None:
        """It should not end by itself; if it does, a note says so and the trial goes on."""
        server = self.arena.clickhouse
        if CLICKHOUSE not in self.resting and server.process is not None and not server.process.alive:
            self.notes.append(f"ClickHouse {server.process.ending()} by itself")
            server.start()

    def sleep(self, seconds: float) -> None:
        """Wait, and tend meanwhile."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()
            time.sleep(0.05)

    def wait(self, condition: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
        """Wait for a condition, and tend meanwhile."""
        timeout *= CROWDED
        until = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < until, f"{what} not within {timeout:.0f} s\n{self.live.log_tails()}"
            self.tend()
            time.sleep(LOOK_SECONDS)

    def victim(self) -> Process:
        """One of the workers that run."""
        running = [worker for worker in self.live.workers if worker.alive]
        return self.random.choice(running)

    # events

    def feed(
        self, events: list[Touchpoint] | None = None, *, rate: float | None = None, poison: float = 0.0,
        cold: bool = False,
    ) -> None:  # fmt: skip
        """Publish events in the background; `poison` is the share of records that cannot be read among them.

        First everybody must be at work, so that a fault meets it under load; unless it is about the start: `cold`,
        then everything is published at once.
        """
        self.join()
        # a copy: probes are not to be published again
        chosen = list(self.events if events is None else events)
        if not (cold or self._probes):
            self._show_probes()
        self._stop.clear()
        rate = None if cold else rate or self.rate
        self._feeder = threading.Thread(target=self._feed, args=(chosen, rate, poison), daemon=True)
        self._feeder.start()

    def join(self) -> None:
        """Wait until everything is published."""
        if self._feeder is not None:
            self.wait(lambda: self._feeder is None or not self._feeder.is_alive(), "feeding", 300)
            self._feeder = None
        if self._feed_error is not None:
            raise self._feed_error

    @property
    def feeding(self) -> bool:
        """Whether events are still being published."""
        return self._feeder is not None and self._feeder.is_alive()

    def _feed(self, events: list[Touchpoint], rate: float | None, poison: float) -> None:
        try:
            with self.producer() as send:
                started = time.monotonic()
                for number, event in enumerate(events):
                    if self._stop.is_set():
                        return
                    if rate is not None and (ahead := started + number / rate - time.monotonic()) > 0.01:
                        time.sleep(ahead)
                    if poison and self.random.random() < poison:
                        send(None)
                    send(event)
        except BaseException as error:  # noqa: BLE001 (told by join)
            self._feed_error = error

    @contextmanager
    def producer(self) -> Iterator[Callable[[Touchpoint | None], None]]:
        """What publishes a touchpoint, or for None a record that cannot be read; the end waits for confirmations."""
        settings, policy = self.live.settings, self._policy
        topic = settings.topic(TOUCHPOINTS.name)
        # it outlives every outage of a trial: what is published counts once it is confirmed
        producer = KafkaProducer(
            bootstrap_servers=settings.brokers, acks="all", enable_idempotence=True, linger_ms=5,
            delivery_timeout_ms=600_000, request_timeout_ms=10_000, max_block_ms=300_000,
        )  # fmt: skip
        futures: list[Any] = []

        def send(event: Touchpoint | None) -> None:
            if event is None:
                self.poison += 1
                futures.append(producer.send(topic, key=b"poison", value=POISON))
            else:
                key, value = message(event, policy, CATALOGUE)
                futures.append(
                    producer.send(
                        topic, key=key, value=value, partition=partition_of(key, settings.partitions)
                    )
                )

        try:
            yield send
            for future in futures:
                future.get(600)
        finally:
            producer.close(timeout=5)

    def recovered(self, since: float | None = None, timeout: float = PATIENCE) -> float:
        """Publish a touchpoint for every partition now; note how long from `since` until ClickHouse shows them all."""
        since = time.monotonic() if since is None else since
        self._show_probes(timeout)
        seconds = time.monotonic() - since
        self.recoveries.append(seconds)
        return seconds

    def send_probes(self) -> list[Touchpoint]:
        """Publish a touchpoint for every partition."""
        probes = [self._probe(partition) for partition in range(self.live.settings.partitions)]
        self.events += probes
        with self.producer() as send:
            for probe in probes:
                send(probe)
        return probes

    def _show_probes(self, timeout: float = PATIENCE) -> None:
        probes = self.send_probes()
        wanted = ", ".join(f"'{probe['event_id']}'" for probe in probes)
        sql = f"SELECT count() FROM raw_touchpoints FINAL WHERE event_id IN ({wanted})"
        self.wait(lambda: self.count(sql) == len(probes), "recovery", timeout)

    def _probe(self, partition: int) -> Touchpoint:
        while True:
            self._probes += 1
            cookie = f"probe-{self._probes}"
            if partition_of(f"default/cookie:{cookie}".encode(), self.live.settings.partitions) == partition:
                return touchpoint(cookie, occurred_at=START + self._probes, ids=[("cookie", cookie)])

    def count(self, sql: str) -> int:
        try:
            return int(self.live.query(sql)[0][0])
        except Exception:  # noqa: BLE001 (ClickHouse is down: that is what the fault is about)
            return -1

    def rows(self) -> int:
        """Rows of touchpoints, superseded ones included; -1 while ClickHouse is down."""
        return self.count("SELECT count() FROM raw_touchpoints")

    def wait_loading(self) -> None:
        """Until rows come in: everybody is at work."""
        before = max(self.rows(), 0)
        self.wait(lambda: self.rows() > before, "work")

    def wait_idle(self, timeout: float = 180.0) -> None:
        """Until everything is published, processed, loaded and committed."""
        self.join()
        quiet: list[float] = []

        def idle() -> bool:
            backlogs = self.live.backlogs()
            if backlogs is None or not all(b.idle for group in backlogs.values() for b in group):
                quiet.clear()
                return False
            quiet.append(time.monotonic())
            return quiet[-1] - quiet[0] >= 1.5

        try:
            self.wait(idle, "idleness", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.live.look().to_dict()}") from error
        reconcile(self.live.settings)

    def memory(self) -> dict[str, int]:
        """Resident memory of each process, MiB."""
        found = {}
        for child in self.children():
            if child.alive:
                status = Path(f"/proc/{child.pid}/status").read_text()
                found[child.name] = int(status.split("VmRSS:")[1].split()[0]) // 1024
        return found

    def keep(self) -> str:
        """Let its topics, tables and logs stay, to find out what happened. Returns where they are."""
        self.kept = self.arena.keeps = True
        settings = self.live.settings
        return f"{self.arena.folder}: topics {settings.topic('*')}, database {settings.clickhouse().database}"

    def close(self) -> None:
        """End everything, and leave nothing that a server that is started again would have to recover."""
        self._stop.set()
        self.arena.calm()
        self.live.close()
        if self.kept:
            return
        delete_topics(self.live.settings, [topic.name for topic in ALL])
        self.live.query(f"DROP DATABASE {self.live.settings.clickhouse().database}")


@contextmanager
def trial(
    where: Arena,
    seed: int,
    events: int,
    *,
    workers: int = 2,
    worker: tuple[str, ...] = (),
    loader: tuple[str, ...] = (),
    control: bool = False,
    scale: Scale = Scale.USUAL,
) -> Iterator[Trial]:
    """A deployment of its own; `worker` and `loader` name the changes of variants to run in place of the real ones."""
    name, short = uuid.uuid4().hex[:10], scale is Scale.SHORT
    settings = Settings(
        brokers=where.kafka.address,
        clickhouse_url=where.clickhouse.url_of(f"fault_{name}"),
        topic_prefix=f"{name}.",
        partitions=2 if short else 4,
        session_timeout=3.0 if short else 6.0,
        pseudonym_key="0123456789abcdef" * 4,
    )
    inner = behind_proxies(settings, where.kafka.proxied, where.clickhouse_proxy)
    logs = where.folder / name
    logs.mkdir()
    where.calm()
    create_topics(settings)
    migrate(settings.clickhouse())
    live = FaultDeployment(settings, logs, inner, worker, loader, where.nursery if short else None)
    population = Population(people=max(events // 15, 10), events=events, seed=seed)
    running = Trial(where, live, Random(seed), list(simulate(population)), control=control, scale=scale)
    try:
        for _ in range(workers):
            live.start_worker()
        live.start_loader()
        yield running
    finally:
        running.close()
        if not running.kept:
            drop(settings.clickhouse())
