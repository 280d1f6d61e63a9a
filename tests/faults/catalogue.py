"""The faults by number, and their control arms."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults import on_clickhouse, on_kafka, on_state, on_workers, soak
from tests.faults.trial import Trial


@dataclass(frozen=True)
class Control:
    """A run with one protection off, which must fail; the changes (variants.py) come after the fault's own."""

    without: str
    worker: tuple[str, ...] = ()
    loader: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """What is done, with which processes."""

    number: int
    title: str
    play: Callable[[Trial], None]
    events: int = 4_000
    workers: int = 2
    short_workers: int = 1  #: in the short form: as few as show it
    worker: tuple[str, ...] = ()  #: changes that put a weakness in, protections untouched
    loader: tuple[str, ...] = ()
    controls: tuple[Control, ...] = ()
    #: fields of the verdict that must be 0 beside those of every fault: the protection is for nothing else
    never: tuple[str, ...] = ()


#: Without it a commit says that what was read was done.
ACKS_FIRST = Control("acknowledging after the effects", worker=("acks_first",))
LEAVES = Control("a commit before partitions are given up", worker=("leaves_without_commit",))
DIRECT = ("direct",)

FAULTS = (
    Fault(1, "kill -9 before effects, and after signals", on_workers.kill_at_moments,
          worker=("dies_before_effects", "dies_before_changelog"), never=("wrong_signals",),
          controls=(ACKS_FIRST, Control("the write-ahead of signals", worker=("writes_nothing_ahead",)))),
    Fault(2, "kill -9 between insert and commit", on_clickhouse.killed_before_commit, loader=("dies_before_commit",)),
    Fault(3, "kill -9 with a gap in what is done", on_workers.kill_with_a_gap, workers=1, worker=("dies_with_a_gap",),
          controls=(Control("committing up to the first gap", worker=("commits_past_gaps",)),)),
    Fault(4, "SIGSTOP past the session, SIGCONT", on_workers.zombie, events=6_000, short_workers=2,
          worker=("stops_before_assignments",),
          controls=(Control("the versions of assignments", worker=("takes_any_assignment",)),)),
    Fault(5, "rebalance storm, 1 to 4 workers", on_workers.storm, events=10_000, worker=("notes_rebalances",),
          controls=(ACKS_FIRST, LEAVES), never=("repeated",)),
    Fault(6, "SIGTERM under load", on_workers.sigterm_under_load, events=10_000, worker=("notes_rebalances",),
          controls=(LEAVES,), never=("repeated",)),
    Fault(7, "broker restarted, then killed", on_kafka.restart, events=6_000),
    Fault(8, "broker down for minutes", on_kafka.down_for_minutes),
    Fault(9, "lost and late produce acknowledgements", on_kafka.late_acknowledgements, events=6_000,
          controls=(Control("the idempotent producer", worker=("not_idempotent",)),), never=("appended_twice",)),
    Fault(10, "ClickHouse killed, back later", on_clickhouse.down, loader=DIRECT),
    Fault(11, "ClickHouse down past the poll interval", on_clickhouse.down_past_the_poll_interval,
          loader=("short_poll",)),
    Fault(12, "ClickHouse down, and a rebalance", on_clickhouse.down_and_rebalance),
    Fault(13, "connection cut in an insert", on_clickhouse.cut_in_an_insert, events=6_000, loader=DIRECT,
          controls=(Control("retrying until done", loader=("gives_up",)),)),
    Fault(14, "answer lost after the server applied", on_clickhouse.answer_lost, events=6_000, loader=DIRECT,
          controls=(Control("the deduplication token", loader=("without_token",)),), never=("stored_twice",)),
    Fault(15, "too many parts, disk full, constraint", on_clickhouse.refusing, events=8_000, loader=DIRECT),
    Fault(16, "poison records, 1% and 100%", on_kafka.poisoned, loader=DIRECT),
    Fault(17, "dead-letters topic takes nothing", on_kafka.dead_letters_refused),
    Fault(18, "changelog stale, wiped, corrupt", on_state.stale_corrupt_wiped),
    Fault(19, "output and changelog sends refused", on_kafka.failing_sends, events=8_000,
          controls=(Control("a stop once a record is refused", worker=("goes_on_after_a_refusal",)),)),
    Fault(20, "soak with compaction", soak.soak, events=12_000),
    Fault(21, "way to the broker stalls", on_kafka.stalled, events=6_000),
    Fault(22, "SIGSTOP between a deadline and its signal", on_workers.zombie_at_a_deadline, short_workers=2,
          worker=("stops_before_it_raises",), never=("wrong_signals",),
          controls=(Control("looking for another worker's claim", worker=("unfenced",)),)),
)  # fmt: skip
BY_NUMBER = {fault.number: fault for fault in FAULTS}
