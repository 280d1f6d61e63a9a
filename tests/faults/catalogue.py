"""The faults by number, and their control arms."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import on_clickhouse, on_kafka, on_state, on_workers, soak
from tests.faults.arena import Trial


@dataclass(frozen=True)
class Control:
    """A run with one protection off, which must fail."""

    without: str
    worker: str = ""
    loader: str = ""
    raw: bool = False  #: what FINAL would hide counts


@dataclass(frozen=True)
class Fault:
    """What is done, with which processes."""

    number: int
    title: str
    play: Callable[[Trial], None]
    events: int = 4_000
    workers: int = 2
    short_workers: int = 1  #: in the short form: as few as show it
    worker: str = ""  #: variants that put a weakness in, protections untouched
    loader: str = ""
    control: Control | None = None


#: Without it a commit says that what was read was done.
ACKS_FIRST = "acknowledging after the effects"

FAULTS = (
    Fault(1, "kill -9 a worker at random", on_workers.kill_at_random,
          control=Control(ACKS_FIRST, worker="worker_acks_first")),
    Fault(2, "kill -9 between insert and commit", on_clickhouse.killed_before_commit,
          loader="loader_dies_before_commit"),
    Fault(3, "kill -9 in a slow first batch", on_workers.kill_in_a_slow_first_batch,
          workers=1, worker="worker_slow_first",
          control=Control(ACKS_FIRST, worker="worker_slow_first_acks_first")),
    Fault(4, "SIGSTOP past the session, SIGCONT", on_workers.zombie, events=6_000, short_workers=2),
    Fault(5, "rebalance storm, 1 to 4 workers", on_workers.storm, events=10_000,
          control=Control(ACKS_FIRST, worker="worker_acks_first")),
    Fault(6, "SIGTERM under load", on_workers.sigterm_under_load, events=10_000),
    Fault(7, "broker restarted, then killed", on_kafka.restart, events=6_000),
    Fault(8, "broker down for minutes", on_kafka.down_for_minutes),
    Fault(9, "late produce acknowledgements", on_kafka.late_acknowledgements, events=6_000),
    Fault(10, "ClickHouse killed, back later", on_clickhouse.down, loader="loader_direct"),
    Fault(11, "ClickHouse down past the poll interval", on_clickhouse.down_past_the_poll_interval,
          loader="loader_short_poll"),
    Fault(12, "ClickHouse down, and a rebalance", on_clickhouse.down_and_rebalance),
    Fault(13, "connection cut in an insert", on_clickhouse.cut_in_an_insert, events=6_000, loader="loader_direct",
          control=Control("retrying until done", loader="loader_gives_up")),
    Fault(14, "answer lost after the server applied", on_clickhouse.answer_lost, events=6_000, loader="loader_direct",
          control=Control("deduplication token and FINAL", loader="loader_without_token", raw=True)),
    Fault(15, "too many parts, disk full, constraint", on_clickhouse.refusing, events=8_000, loader="loader_direct"),
    Fault(16, "poison records, 1% and 100%", on_kafka.poisoned, loader="loader_direct"),
    Fault(17, "dead-letters topic takes nothing", on_kafka.dead_letters_refused),
    Fault(18, "changelog stale, wiped, corrupt", on_state.stale_corrupt_wiped),
    Fault(19, "output and changelog sends refused", on_kafka.failing_sends, events=8_000),
    Fault(20, "soak with compaction", soak.soak, events=12_000),
    Fault(21, "way to the broker stalls", on_kafka.stalled, events=6_000),
)  # fmt: skip
BY_NUMBER = {fault.number: fault for fault in FAULTS}
