"""The soak itself: load, a death every few minutes, a sample every few seconds, and at the end everything drains."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any, Final

from deploy.kafka_admin.meanings import meanings
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Process
from deploy.sandbox.server import Server
from schemas import topics
from schemas.errors import TouchlineError, UnavailableError
from schemas.settings import Settings
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from tests.faults.arena import Arena
from tests.faults.deployment import FaultDeployment
from tests.faults.kafka import set_config
from tests.faults.trial import CLICKHOUSE, Trial
from tests.integration.parts import TOUCHLINE, reconcile
from tests.integration.store import drop
from tests.soak.load import Feeder, Load
from tests.soak.sampling import Sample, sample

#: How long a killed process stays away: about what systemd or Kubernetes take.
AWAY_SECONDS: Final = 5.0
TEND_SECONDS: Final = 0.2
#: A killed worker's journeys are restored, and a backlog of that time is worked off, on a crowded machine too.
DRAIN_SECONDS: Final = 3600.0
#: Longer than the pauses between a commit and the next record that it causes.
STAYS_SECONDS: Final = 5.0
#: A worker or loader that ends itself so soon after a server has died ended because of that, and is started again.
OUTAGE_SECONDS: Final = 120.0
#: Compaction and retention that do in minutes what they do in days: the soak is to see both at work.
COMPACTING: Final = {
    "segment.ms": "60000", "min.cleanable.dirty.ratio": "0.1", "max.compaction.lag.ms": "120000",
    "delete.retention.ms": "60000",
}  # fmt: skip
SHORT_SEGMENTS: Final = {"segment.ms": "60000"}


@dataclass(frozen=True)
class Plan:
    """How long, how fast, and how often what happens."""

    hours: float
    rate: float  #: touchpoints a second
    people: int  #: in a cohort
    seed: int
    restart_minutes: float  #: between two deaths
    sample_seconds: float
    erase_seconds: float  #: between two erasures
    retention_minutes: float  #: of the topics that are not compacted

    cohort_minutes: float  #: how long the same people come

    @property
    def load(self) -> Load:
        """What is published."""
        events = max(int(self.cohort_minutes * 60 * self.rate), 1)
        return Load(self.people, events, self.seed, max(int(self.erase_seconds * self.rate), 1))


class SoakDeployment(FaultDeployment):
    """Its processes reach the servers without proxies; each worker keeps checkpoints in a folder of its own."""

    def process(self, name: str, command: str) -> Process:
        settings = replace(self.settings, state_dir=str(self.state / name) if command == "worker" else "")
        return Process(name, [*TOUCHLINE, command], self.logs / f"{name}.log", settings.to_env())

    @property
    def state(self) -> Path:
        """The folder of all checkpoints."""
        return self.logs / "state"


@contextmanager
def deployed(where: Arena, plan: Plan) -> Iterator[Trial]:
    """Two workers and a loader, with topics that Kafka compacts and empties all the time."""
    name = uuid.uuid4().hex[:10]
    settings = Settings(
        brokers=where.kafka.address, clickhouse_url=where.clickhouse.url_of(f"soak_{name}"), topic_prefix=f"{name}.",
        partitions=4, session_timeout=20.0, pseudonym_key="0123456789abcdef" * 4, erased_files_seconds=60,
    )  # fmt: skip
    logs = where.folder / name
    logs.mkdir()
    _create(settings)
    for topic in topics.ALL:
        if topic.compacted:
            set_config(settings, topic.name, COMPACTING)
        elif topic.retention_ms != topics.FOR_EVER:
            kept = {"retention.ms": str(int(plan.retention_minutes * 60_000)), **SHORT_SEGMENTS}
            set_config(settings, topic.name, kept)
    migrate(settings.clickhouse())
    put_in_force(settings.clickhouse(), meanings(settings))
    live = SoakDeployment(settings, logs, settings, (), ())
    running = Trial(where, live, Random(plan.seed), [])
    try:
        live.start_worker()
        live.start_worker()
        live.start_loader()
        yield running
    finally:
        running.close()
        drop(settings.clickhouse())


def _create(settings: Settings) -> None:
    """Create the topics; again if the broker does not show them at once, as where others want the same cores."""
    for attempt in range(5):
        try:
            create_topics(settings)
        except UnavailableError:
            if attempt == 4:
                raise
        else:
            return


class Soak:
    """Plays a plan on a trial, and writes what it sees to a file as lines of JSON."""

    def __init__(self, trial: Trial, plan: Plan, file: Path, say: Callable[[str], object]) -> None:
        self.trial, self.plan, self.file, self.say = trial, plan, file, say
        self.samples: list[Sample] = []
        self.deaths: list[dict[str, Any]] = []
        #: how processes ended that nobody killed, while both servers were there
        self.by_themselves: list[str] = []
        self._outage = float("-inf")
        self._crashed = 0
        self.folders = {
            "kafka": trial.arena.kafka.data_dir,
            "clickhouse": trial.arena.clickhouse.data_dir,
            "state": trial.live.state if isinstance(trial.live, SoakDeployment) else trial.live.logs,
        }
        self._began = time.monotonic()
        self._feeder = Feeder(trial.live.settings, plan.load.touchpoints(), plan.rate)

    def run(self) -> int:
        """Play until the time is over. Returns how many touchpoints were published, all of them confirmed."""
        self.trial.send_probes()  # nobody is counted as ready before the first record
        self.trial.wait(lambda: self.trial.rows() >= len(self.trial.events), "the first rows", 300)
        self._began = time.monotonic()
        self._feeder.start()
        look, death = 0.0, self.plan.restart_minutes * 60
        victims = cycle((self._worker(0), self._loader, self._worker(1), self._kafka, self._clickhouse))
        while (now := self._now()) < self.plan.hours * 3600:
            if self._feeder.failed:
                break
            self.trial.tend()
            self._note_crashes()
            if now >= look:
                self._look()
                look = max(look + self.plan.sample_seconds, self._now())
            if now >= death:
                next(victims)()
                death += self.plan.restart_minutes * 60
            time.sleep(TEND_SECONDS)
        return self._feeder.stop()

    def drain(self) -> float:
        """Wait until all is processed, loaded and erased. Returns the seconds that it took."""
        began = self._now()
        self._wait(self._idle, "idleness")
        self.say(f"all is loaded after {self._now() - began:.0f} s; waiting for {self._erasing()} erasures")
        self._wait(lambda: self._erasing() == 0, "receipts of erasures")
        self._wait(self._idle, "idleness")  # a reconciliation may have come with the last of them
        reconcile(self.trial.live.settings)
        self._look()
        return self._now() - began

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until a condition stays true, and go on sampling."""
        until, look, true_since = self._now() + DRAIN_SECONDS, 0.0, None
        while true_since is None or self._now() - true_since < STAYS_SECONDS:
            if self._now() > until:
                raise AssertionError(
                    f"{what} not within {DRAIN_SECONDS:.0f} s\n{self.trial.live.log_tails()}"
                )
            self.trial.sleep(1.0)
            self._note_crashes()
            if self._now() >= look:
                self._look()
                look = self._now() + self.plan.sample_seconds
            true_since = (true_since or self._now()) if condition() else None

    def _idle(self) -> bool:
        backlogs = self.trial.live.backlogs()
        return backlogs is not None and all(one.idle for group in backlogs.values() for one in group)

    def _erasing(self) -> int:
        """Erasures whose receipt is not done, or whose files are still there; -1 while ClickHouse does not say."""
        try:
            ((waiting,),) = self.trial.live.query(
                "SELECT countIf(done = 0 OR off_disk_at IS NULL) FROM erasure_receipts FINAL"
            )
        except (TouchlineError, OSError, EOFError):
            return -1
        return int(waiting)

    def _note_crashes(self) -> None:
        """Tell those that an outage explains from all others."""
        if (crashed := sum(self.trial.crashes.values())) != self._crashed:
            self._crashed = crashed
            if self._now() - self._outage > OUTAGE_SECONDS:
                self.by_themselves.append(f"{self._now() / 60:.1f} min: one of {dict(self.trial.crashes)}")

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _look(self) -> None:
        taken = {"at": round(self._now(), 1), "published": self._feeder.sent}
        self.samples.append(taken | sample(self.trial, self.folders))
        self._write(self.samples[-1])

    def _write(self, line: dict[str, Any]) -> None:
        with self.file.open("a") as out:
            out.write(json.dumps(line) + "\n")

    # deaths

    def _died(self, name: str) -> None:
        self.deaths.append({"at": round(self._now(), 1), "killed": name})
        self._write(self.deaths[-1])
        self.say(f"{self._now() / 60:.1f} min, {self._feeder.sent:,} published: kill -9 {name}")

    def _kill(self, victim: Process) -> None:
        self._died(victim.name)
        self.trial.resting.add(victim.name)
        victim.kill()
        self.trial.sleep(AWAY_SECONDS)
        self.trial.resting.discard(victim.name)

    def _start_again(self, server: Server) -> None:
        """Start a server, as a supervisor does: again if it is not ready in time."""
        until = self._now() + DRAIN_SECONDS
        while True:
            try:
                server.start()
            except UnavailableError as error:
                if self._now() > until:
                    raise
                self.say(f"{error.args[0][:200]}: once more")
            else:
                self._outage = self._now()
                return

    def _worker(self, number: int) -> Callable[[], None]:
        return lambda: self._kill(self.trial.live.workers[number])

    def _loader(self) -> None:
        if self.trial.live.loader is not None:
            self._kill(self.trial.live.loader)

    def _kafka(self) -> None:
        self._died("kafka")
        self._outage = self._now()
        self.trial.live.forget_broker()
        self.trial.arena.kafka.kill()
        self.trial.sleep(AWAY_SECONDS)
        self._start_again(self.trial.arena.kafka)

    def _clickhouse(self) -> None:
        self._died(CLICKHOUSE)
        self._outage = self._now()
        self.trial.resting.add(CLICKHOUSE)
        self.trial.arena.clickhouse.kill()
        self.trial.sleep(AWAY_SECONDS)
        self._start_again(self.trial.arena.clickhouse)
        self.trial.resting.discard(CLICKHOUSE)
