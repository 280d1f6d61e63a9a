"""The systems: how each is started, when it is done, and whether its answers are right."""

import json
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient

from deploy.sandbox import Process
from schemas.catalogue import Catalogue
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.records import Touchpoint
from schemas.topics import JOURNEY_STATES, TOUCHPOINTS
from tests.benchmarks.peers.answers import Answer, check, check_count, expected, of_state
from tests.benchmarks.peers.contract import INPUT
from tests.benchmarks.peers.lab import DATABASE, PARTITIONS, Encoded, Lab, LastValues, Message, connected
from tests.benchmarks.processes import peak_mib
from tests.integration.parts import IDLE_SECONDS, Deployment, deployment

#: How long a system may take; the slowest need a minute for 50,000 events.
PATIENCE_SECONDS: Final = 1_800.0
LOOK_SECONDS: Final = 0.25
#: What the name of a peer without inserts ends with.
DRY: Final = ", no inserts"
#: The part of a process that compiles it just in time.
COMPILER: Final = "compiler"


class System(ABC):
    """One system in one run; a context manager that starts and ends its processes."""

    name: str
    topic: str  #: where it reads touchpoints

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.processes: dict[str, Process] = {}

    @abstractmethod
    def __enter__(self) -> "System": ...

    @abstractmethod
    def __exit__(self, *exception: object) -> None: ...

    @abstractmethod
    def message(self, event: Encoded) -> Message:
        """An event with the key that this system's users take."""

    @abstractmethod
    def wait(self, events: int) -> float:
        """Wait until its answers to so many events are complete; returns since when, on the monotonic clock."""

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far, by process or by part of one."""
        return {part: _cpu_seconds(process.pid) for part, process in self.processes.items()}

    def peak(self) -> dict[str, int]:
        """The most memory so far in MiB, by process."""
        return {part: peak_mib(process.pid) for part, process in self.processes.items()}

    @abstractmethod
    def check(self, events: list[Touchpoint], catalogue: Catalogue) -> None:
        """Raise WrongAnswerError unless all answers are right."""


class Touchline(System):
    """One worker and one loader, with everything that they do: identity, signals, accounts, predictions, history."""

    name = "touchline"

    def __enter__(self) -> "Touchline":
        with ExitStack() as stack:
            live: Deployment = stack.enter_context(
                deployment(
                    self.lab.broker,
                    self.lab.clickhouse,
                    workers=0,
                    loader=False,
                    log_dir=self.lab.folder,
                    partitions=PARTITIONS,
                )
            )
            self._live = live
            self.topic = live.settings.topic(TOUCHPOINTS.name)
            self.processes = {"worker": live.start_worker(), "loader": live.start_loader()}
            _until(
                lambda: bool(live.query("EXISTS TABLE raw_touchpoints")[0][0]), list(self.processes.values())
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def message(self, event: Encoded) -> Message:
        return event.touchline_key, event.value

    def wait(self, events: int) -> float:
        _until(lambda: self._stored() >= events, list(self.processes.values()))
        self._live.wait_idle(PATIENCE_SECONDS)
        return time.monotonic() - IDLE_SECONDS

    def _stored(self) -> int:
        return int(self._live.query("SELECT count() FROM raw_touchpoints FINAL")[0][0])

    def check(self, events: list[Touchpoint], catalogue: Catalogue) -> None:
        right = expected(events, catalogue, net=True)
        settings = self._live.settings
        reader = LastValues(settings.brokers, settings.topic(JOURNEY_STATES.name))
        reader.read()
        reader.close()
        states: list[Any] = [JOURNEY_STATE.decode(value) for value in reader.values.values() if value]
        check("touchline's journey-states", {_profile(state): of_state(state) for state in states}, right)
        check_count("touchline's touchpoints_current", self._count("touchpoints_current"), len(events))
        check_count("touchline's journeys", self._count("journeys"), len(right))
        (orders, seen), *_ = self._live.query("SELECT sum(orders), sum(touchpoints) FROM journeys")
        check_count("orders in touchline's journeys", orders, sum(one.orders for one in right.values()))
        check_count("touchpoints in touchline's journeys", seen, len(events))

    def _count(self, table: str) -> int:
        return int(self._live.query(f"SELECT count() FROM {table}")[0][0])


class Peer(System):
    """A process by the contract of contract.py."""

    topic = INPUT

    def __init__(
        self, lab: Lab, name: str, run: int, command: Callable[[Path], list[str]], *, insert: bool = True,
        decode: Callable[[bytes], Any] = json.loads, compiling: Callable[[int], float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(lab)
        self.name = name if insert else f"{name}{DRY}"
        self._insert = insert
        self._command = command
        self._decode = decode
        self._compiling = compiling
        self._prefix = f"peer-{name}-{run}-" if insert else f"peer-{name}-{run}-dry-"
        self._seen: dict[str, int] = {}

    def __enter__(self) -> "Peer":
        lab, folder = self.lab, self.lab.folder / self._prefix
        folder.mkdir()
        lab.make_tables(self._prefix)
        lab.make_topics([INPUT, *(self._prefix + name for name in ("resolved", "states"))])
        environment = {
            "PEER_BROKERS": lab.broker.address, "PEER_PARTITIONS": str(PARTITIONS),
            "PEER_CLICKHOUSE": f"127.0.0.1:{lab.clickhouse.port}",
            "PEER_CLICKHOUSE_HTTP": f"127.0.0.1:{lab.clickhouse.http_port}", "PEER_DATABASE": DATABASE,
            "PEER_PREFIX": self._prefix, "PEER_CATALOGUE": str(lab.meanings), "PEER_FOLDER": str(folder),
            "PEER_INSERT": str(int(self._insert)),
        }  # fmt: skip
        log = lab.folder / f"{self._prefix}.log"
        process = Process(self.name, self._command(folder), log, environment)
        process.start()
        self.processes = {"peer": process}
        self._states = LastValues(lab.broker.address, self._prefix + "states")
        return self

    def __exit__(self, *exception: object) -> None:
        self.processes["peer"].stop(timeout=5)
        self._states.close()

    def message(self, event: Encoded) -> Message:
        return event.cookie, event.value

    def cpu(self) -> dict[str, float]:
        spent = super().cpu()
        if self._compiling is None:
            return spent
        # what a short run spends on just-in-time compilation costs a long one nothing: shown apart
        compiling = self._compiling(self.processes["peer"].pid)
        return {"code": spent["peer"] - compiling, COMPILER: compiling}

    def wait(self, events: int) -> float:
        complete = self._inserted if self._insert else self._published
        return _until(lambda: complete() >= events, list(self.processes.values()))

    def _inserted(self) -> int:
        """The fewer of the touchpoints that are in ClickHouse and those that its states count."""
        rows = self._query("SELECT count() FROM {touchpoints} FINAL")
        return min(rows, self._query("SELECT sum(touchpoints) FROM {states} FINAL"))

    def _published(self) -> int:
        for profile, value in self._states.read().items():
            self._seen[profile] = self._decode(value)["touchpoints"]
        return sum(self._seen.values())

    def check(self, events: list[Touchpoint], catalogue: Catalogue) -> None:
        right = expected(events, catalogue, net=False)
        self._states.read()
        said = {profile: of_state(self._decode(value)) for profile, value in self._states.values.items()}
        check(f"{self.name}'s states", said, right)
        if self._insert:
            check_count(
                f"{self.name}'s rows", self._query("SELECT count() FROM {touchpoints} FINAL"), len(events)
            )
            check(f"{self.name}'s table of states", self._stored(), right)

    def _stored(self) -> dict[str, Answer]:
        times = ", ".join(f"toUnixTimestamp64Milli({name}) AS {name}" for name in ("first_seen", "last_seen"))
        columns = f"profile, touchpoints, {times}, orders, revenue, arrayMap(id -> [id], recent) AS recent"
        with connected(self.lab.clickhouse.url) as client:
            rows = client.execute(f"SELECT {columns} FROM {self._table('states')} FINAL")
        names = ("touchpoints", "first_seen", "last_seen", "orders", "revenue", "recent")
        return {profile: of_state(dict(zip(names, row, strict=True))) for profile, *row in rows}

    def _query(self, sql: str) -> int:
        tables = {name: self._table(name) for name in ("touchpoints", "states", "raw")}
        with connected(self.lab.clickhouse.url) as client:
            return int(client.execute(sql.format(**tables))[0][0])

    def _table(self, name: str) -> str:
        return f"{DATABASE}.{self._prefix.replace('-', '_')}{name}"


class Limit(Peer):
    """The limit by the same contract, but for its answers: it has stored what it read."""

    def _inserted(self) -> int:
        return self._query("SELECT count() FROM {raw}")

    def _published(self) -> int:
        group = self._prefix + "limit"
        admin = KafkaAdminClient(bootstrap_servers=self.lab.broker.address)
        try:
            offsets = admin.list_group_offsets({group: None})[group]
        finally:
            admin.close()
        return sum(max(found.offset, 0) for found in offsets.values())

    def check(self, events: list[Touchpoint], catalogue: Catalogue) -> None:  # noqa: ARG002 (the peers')
        if self._insert:
            found = self._query("SELECT uniqExact(partition, offset) FROM {raw}")
            check_count(f"{self.name}'s rows", found, len(events))


def python(module: str, *arguments: str) -> Callable[[Path], list[str]]:
    """The command of a peer that is a module of this package."""
    return lambda _: [sys.executable, "-m", f"tests.benchmarks.peers.{module}", *arguments]


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all its threads, in nanoseconds' resolution (Linux).

    The limit's whole run takes less than /proc's hundredths of a second can tell. The clock's id is the one that
    clock_getcpuclockid(3) makes.
    """
    return time.clock_gettime(~pid << 3 | 2)


def _profile(state: dict[str, Any]) -> str:
    """The customer if there is one, else the cookie."""
    identifiers: dict[str, str] = {one["type"]: one["value"] for one in state["identifiers"]}
    return identifiers.get("customer_id") or identifiers["cookie"]


def _until(condition: Callable[[], bool], processes: list[Process]) -> float:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        for process in processes:
            if not process.alive:
                raise SystemExit(f"{process.name} {process.ending()}; {process.log_ending()}")
        if time.monotonic() > deadline:
            raise SystemExit(f"not complete after {PATIENCE_SECONDS:.0f} s: see the logs")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()
