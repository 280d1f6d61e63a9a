"""One attack against a deployment of its own: broker, ClickHouse, worker and loader as processes on loopback."""

import multiprocessing
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kafka import KafkaProducer

from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, Process, TansuBroker
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key, partition_of
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS, WORKER_GROUP
from tests.attacks.bystander import Bystander, Waits
from tests.attacks.floods import ATTACKS
from tests.integration.parts import Deployment, deployment
from tests.support.built_in import POLICY

WARM_UP: Final = 10  #: merges of the bystander before anything is timed
QUIET_SECONDS: Final = 10.0  #: that the bystander is timed before the attack
DUE_SECONDS: Final = 60.0  #: that the bystander is timed after what a flood prepared fell due
PATIENCE: Final = 60.0  #: seconds that the last visits may take
LOOK_SECONDS: Final = 0.5
MIB: Final = 1024


@dataclass(frozen=True)
class Report:
    """What the bystander noticed. Times in seconds, memory in MiB."""

    attack: str
    size: int
    seconds: float  #: from the first record of the flood to the last one worked off
    worked_off: bool
    restarts: int
    worker_before: int
    worker_peak: int
    loader_peak: int
    quiet: dict[str, list[float | None]]  #: state and merge: p50, p99, the longest; before the attack
    attacked: dict[str, list[float | None]]
    due: dict[str, list[float | None]] | None  #: from when what the flood prepared fell due, for DUE_SECONDS
    visits: int
    unanswered: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def play(name: str, size: int, *, minutes: float = 10.0, kafka: bool = False, loader: bool = True) -> Report:
    """Start everything, let a bystander visit, attack, and wait until the flood is worked off."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-attacks-"))
    clickhouse = ClickHouseServer(folder / "clickhouse", folder)
    broker: Broker = KafkaBroker(folder / "kafka", folder) if kafka else TansuBroker(folder)
    try:
        broker.start()
        clickhouse.start()
        with deployment(broker, clickhouse, loader=loader, log_dir=folder) as live:
            return _attack(live, name, size, minutes)
    finally:
        broker.stop()
        clickhouse.stop()


def _attack(live: Deployment, name: str, size: int, minutes: float) -> Report:
    bystander = Bystander(live.settings)
    bystander.start()
    bystander.wait_for_merges(WARM_UP, PATIENCE)  # the first ones pay for the start
    bystander.forget()
    time.sleep(QUIET_SECONDS)
    quiet, before = bystander.waits, _memory(live.workers[0], "VmRSS")
    bystander.forget()
    flood = multiprocessing.get_context("spawn").Process(
        target=publish, args=(live.settings, name, size), daemon=True
    )
    began = time.monotonic()
    flood.start()
    restarts, worked_off = 0, False
    while time.monotonic() - began < 60 * minutes and not worked_off:
        time.sleep(LOOK_SECONDS)
        if not live.workers[0].alive:
            restarts += 1
            live.start_what_died()
        worked_off = not flood.is_alive() and _idle(live)
    seconds = time.monotonic() - began
    flood.kill()
    attacked, later = bystander.waits, ATTACKS[name].due
    if later is not None:
        time.sleep(max(0.0, began + later(size) - time.monotonic()))
        bystander.forget()
        time.sleep(DUE_SECONDS)
    bystander.stop(PATIENCE)
    phases = [attacked] if later is None else [attacked, bystander.waits]
    due = None if later is None else _all(bystander.waits)
    waits = [one for phase in phases for one in phase.values()]
    unanswered = sum(one.unanswered for one in waits)
    return Report(
        name, size, round(seconds, 1), worked_off, restarts, before,
        _memory(live.workers[0], "VmHWM"), _memory(live.loader, "VmHWM"),
        _all(quiet), _all(attacked), due, unanswered + sum(len(one.seconds) for one in waits), unanswered,
    )  # fmt: skip


def publish(settings: Settings, name: str, size: int) -> None:
    """Publish a flood as a source would that nobody checks."""
    producer = KafkaProducer(
        bootstrap_servers=settings.brokers, acks="all", enable_idempotence=False, linger_ms=20,
        max_request_size=4 * 1024 * 1024, batch_size=512 * 1024, compression_type="gzip",
        max_block_ms=600_000, delivery_timeout_ms=600_000, request_timeout_ms=60_000,
    )  # fmt: skip
    topic = settings.topic(TOUCHPOINTS.name)
    for event in ATTACKS[name].flood(size, uuid.uuid4().hex[:6]):
        if event is None:
            producer.flush()
            time.sleep(1.0)
            continue
        key = identifier_key(event["tenant"], POLICY.usable(event["identifiers"])[0])
        producer.send(
            topic, key=key, value=TOUCHPOINT.encode(event), partition=partition_of(key, settings.partitions)
        )
    producer.flush()
    producer.close()


def _idle(live: Deployment) -> bool:
    """Whether the worker is through with the flood: what the bystander publishes is under way at any time."""
    backlogs = live.look().backlogs
    return backlogs is not None and sum(one.lag for one in backlogs[WORKER_GROUP]) <= 10


def _memory(process: Process | None, name: str) -> int:
    if process is None or not process.alive:
        return 0
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) // MIB


def _all(waits: dict[str, Waits]) -> dict[str, list[float | None]]:
    return {
        kind: [_rounded(one.quantile(share)) for share in (0.5, 0.99, 1.0)] for kind, one in waits.items()
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
