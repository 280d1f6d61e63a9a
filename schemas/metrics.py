"""Every Prometheus metric of every process: name, type, labels and meaning. docs/metrics.md is made from this module.

Counters are named without the `_total` that Prometheus sees. No label holds anything about a person: labels are
topics, partitions, tables and words of closed lists.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

#: What each label holds.
LABELS: Final = {
    "cause": "why profiles changed: `link`, `asserted`, `contested` (an identifier is shared), `order` (late evidence),"
    " `ERASE`, `UNLINK`",
    "core": "`native` with its version, or `python`",
    "generation": "of Python's garbage collector: 0, 1 or 2",
    "kind": "of a state's items, or of a change of profiles (`MERGED`, `SPLIT`, `ERASED`)",
    "level": "of a log record: `WARNING`, `ERROR` or `CRITICAL`",
    "outcome": "`accepted`, or the reason of the refusal",
    "part": "`clickhouse` or `kafka`",
    "partition": "number of a partition",
    "process": "`worker`, `loader`, `collector`, `page`, `serve` or `webhooks`",
    "protocol": "`touchpoints`, `segment`, `cloudevents`, `posthog` or `snowplow`",
    "reason": "of a dead letter (schemas/errors.py) or of a refused link: `unique`, `limit`, or `gate`"
    " (an identifier that is closed or contested, a profile that is quarantined)",
    "route": "the path of a request, its variable parts by name",
    "stage": "the agent: `stitch`, `identity`, `journeys` or `accounts`",
    "state": "the state of an agent: `stitch`, `identity`, `journeys` or `accounts`",
    "status": "HTTP status",
    "table": "table in ClickHouse",
    "topic": "topic in Kafka, with its prefix",
    "version": "release of Touchline",
    "what": "`owners` (and copies) or `profiles`",
}

#: Bounds in seconds of histograms: of what takes as long as a request, and of what may last as long as an outage.
SHORT: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
#: The same of what a source may send late: to a month.
LATE: Final = (1, 10, 60, 300, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `process` names those that have it; `buckets` are a histogram's upper bounds."""

    name: str
    kind: Kind
    process: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def samples(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps its samples."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        return (
            tuple(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))
            if self.kind == "histogram"
            else (self.name,)
        )


EVERY: Final = "all"
INFO = Metric(
    "touchline_info", "gauge", EVERY, "Always 1: which release and core runs", ("process", "version", "core")
)
READY = Metric("touchline_ready", "gauge", EVERY, "1 while /readyz answers 200, else 0", ("process",))
LOOP_LATE = Metric(
    "touchline_event_loop_late_seconds", "histogram", EVERY,
    "How late the event loop was for a call that is due every second", (), SHORT,
)  # fmt: skip
GC_PAUSE = Metric(
    "touchline_gc_pause_seconds", "histogram", EVERY, "How long a garbage collection held the process up",
    ("generation",), SHORT,
)  # fmt: skip
LOG_RECORDS = Metric("touchline_log_records", "counter", EVERY, "Log records from WARNING on", ("level",))

WORKER: Final = "worker"
RECORDS = Metric(
    "touchline_worker_records", "counter", WORKER,
    "Records read and finished: their effects are acknowledged by the broker", ("stage",),
)  # fmt: skip
OUTPUTS = Metric(
    "touchline_worker_outputs", "counter", WORKER,
    "Records published, changelogs among them", ("stage", "topic"),
)  # fmt: skip
DEAD_LETTERS = Metric(
    "touchline_worker_dead_letters",
    "counter",
    WORKER,
    "Records set aside as dead letters",
    ("stage", "reason"),
)
STAGE_SECONDS = Metric(
    "touchline_worker_stage_seconds", "histogram", WORKER,
    "From a record's time stamp in Kafka to the acknowledgement of its effects, for each record", ("stage",), LONG,
)  # fmt: skip
PUBLISH_TO_STATE = Metric(
    "touchline_worker_publish_to_state_seconds", "histogram", WORKER,
    "From a touchpoint's reception (its received_at) to its acknowledged journey state; of every eighth fetch, and at"
    " least every second, the newest touchpoint. History counts with its age", (), LONG,
)  # fmt: skip
LATENESS = Metric(
    "touchline_worker_lateness_seconds", "histogram", WORKER,
    "From a touchpoint's occurrence to its reception; of the same touchpoints", (), LATE,
)  # fmt: skip
DUE_TO_SIGNAL = Metric(
    "touchline_worker_due_to_signal_seconds", "histogram", WORKER,
    "From a deadline, by the wall clock, to its acknowledged signals. History counts with its age", (), LONG,
)  # fmt: skip
LAG = Metric(
    "touchline_worker_lag_records", "gauge", WORKER,
    "Records of an assigned partition that are not committed", ("topic", "partition"),
)  # fmt: skip
COMMIT_AGE = Metric(
    "touchline_worker_commit_age_seconds", "gauge", WORKER,
    "How long ago the oldest record was read that is not committed; 0 if all are", ("topic", "partition"),
)  # fmt: skip
QUEUED = Metric(
    "touchline_worker_queued_records", "gauge", WORKER,
    "Records read that wait for their agent", ("topic", "partition"),
)  # fmt: skip
PUBLISH_SECONDS = Metric(
    "touchline_worker_publish_seconds", "histogram", WORKER,
    "How long the broker took to acknowledge what was published together", (), SHORT,
)  # fmt: skip
UNACKNOWLEDGED_AGE = Metric(
    "touchline_worker_unacknowledged_seconds",
    "gauge",
    WORKER,
    "How long the oldest publication waits for the broker's acknowledgement; 0 if none does",
)
UNACKNOWLEDGED = Metric(
    "touchline_worker_unacknowledged_records", "gauge", WORKER, "Records that wait to be sent to the broker"
)
BACKGROUND = Metric(
    "touchline_worker_background_tasks",
    "gauge",
    WORKER,
    "Fetches whose newcomers wait for identity's decision",
)
WATERMARK = Metric(
    "touchline_worker_watermark_seconds", "gauge", WORKER,
    "Newest event time seen: seconds since 1970", ("partition",),
)  # fmt: skip
DECISION_WAIT = Metric(
    "touchline_worker_decision_wait_seconds", "histogram", WORKER,
    "How long the newcomers of a fetch waited for identity's decision", (), SHORT,
)  # fmt: skip
DECISIONS_LATE = Metric(
    "touchline_worker_decisions_late",
    "counter",
    WORKER,
    "Fetches whose newcomers went on without a decision: it costs a Move",
)
UNDECIDED = Metric(
    "touchline_worker_undecided_records",
    "gauge",
    WORKER,
    "Links and corrections read and not decided",
    ("partition",),
)
LANES = Metric(
    "touchline_worker_waiting_regions", "gauge", WORKER,
    "Regions of identifiers whose links wait, each in a lane of its own", ("partition",),
)  # fmt: skip
PROFILE_CHANGES = Metric(
    "touchline_worker_profile_changes",
    "counter",
    WORKER,
    "Merges, splits and erasures of profiles",
    ("kind", "cause"),
)
REFUSED_LINKS = Metric(
    "touchline_worker_refused_links", "gauge", WORKER,
    "Links that the identity policy refuses now, as far as they are resolved", ("reason",),
)  # fmt: skip
STATE_ITEMS = Metric(
    "touchline_worker_state_items", "gauge", WORKER,
    "What the state of an agent holds: of stitch `assignments` and `evidence`; of identity `identifiers`, those that"
    " are `contested` (several people share them) or `quarantined` (limits refused very many links), `tenants`,"
    " `unresolved_links`; of journeys `profiles`, `objects` (those that are not compressed), `deadlines`; `accounts`",
    ("state", "kind"),
)  # fmt: skip
COMPRESSED_BYTES = Metric(
    "touchline_worker_compressed_bytes",
    "gauge",
    WORKER,
    "Bytes of compressed journeys, estimated from a sample of each partition",
)
UNPACKED = Metric(
    "touchline_worker_journeys_decompressed",
    "counter",
    WORKER,
    "Journeys that were not kept as objects when they were needed. 1 - its rate / that of the journey states among"
    " touchline_worker_outputs_total is the hit rate of the cache",
)
PERHAPS_RAISED = Metric(
    "touchline_worker_write_ahead_profiles",
    "gauge",
    WORKER,
    "Profiles with signals that were written ahead and that a crash may have cut off",
)
ASSIGNED = Metric(
    "touchline_worker_assigned_partitions", "gauge", WORKER, "Partitions of touchpoints assigned"
)
REBALANCES = Metric(
    "touchline_worker_rebalances", "counter", WORKER, "Rebalances that this worker took part in"
)
RESTORED = Metric(
    "touchline_worker_restored_records",
    "counter",
    WORKER,
    "Changelog records applied by recoveries",
    ("state",),
)
RECOVERY_LEFT = Metric(
    "touchline_worker_recovery_remaining_records", "gauge", WORKER,
    "Offsets that the recovery has still to read; 0 once it is over", ("state",),
)  # fmt: skip
RECOVERY_SECONDS = Metric(
    "touchline_worker_recovery_remaining_seconds",
    "gauge",
    WORKER,
    "Estimate of the recovery's end at its rate so far; 0 once it is over, NaN before there is a rate",
)

LOADER: Final = "loader"
ROWS_LOADED = Metric(
    "touchline_loader_rows", "counter", LOADER, "Rows acknowledged by ClickHouse", ("table",)
)
REFUSED_FILES = Metric(
    "touchline_loader_refused_files", "counter", LOADER,
    "Batches that ClickHouse did not take as Avro, and that were loaded row by row after all", ("table",),
)  # fmt: skip
LOADER_LETTERS = Metric(
    "touchline_loader_dead_letters", "counter", LOADER, "Records sent to dead-letters", ("reason",)
)
FLUSH_SECONDS = Metric(
    "touchline_loader_flush_seconds", "histogram", LOADER,
    "Decode, insert and commit of one batch, outages included", (),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)  # fmt: skip
INSERT_SECONDS = Metric(
    "touchline_loader_insert_seconds", "histogram", LOADER,
    "One insert into a table, with its retries", ("table",), LONG,
)  # fmt: skip
PUBLISH_TO_ROW = Metric(
    "touchline_loader_publish_to_row_seconds", "histogram", LOADER,
    "From a record's time stamp in Kafka to its committed row, for each record", ("topic",), LONG,
)  # fmt: skip
RECONCILIATION_SECONDS = Metric(
    "touchline_loader_reconciliation_seconds", "histogram", LOADER,
    "A run that brought owners or profiles in line with what was loaded", ("what",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)  # fmt: skip
RECONCILIATION_FAILURES = Metric(
    "touchline_loader_reconciliation_failures", "counter", LOADER,
    "Reconciliations that failed; the next one repeats them", ("what",),
)  # fmt: skip
RECONCILED_UNTIL = Metric(
    "touchline_loader_reconciled_until_seconds", "gauge", LOADER,
    "Everything loaded before this time, seconds since 1970 by ClickHouse's clock, is reconciled", ("what",),
)  # fmt: skip
LOADER_LAG = Metric(
    "touchline_loader_lag_records", "gauge", LOADER, "Records not yet in ClickHouse", ("topic", "partition")
)
LOADER_COMMIT_AGE = Metric(
    "touchline_loader_commit_age_seconds",
    "gauge",
    LOADER,
    "How long ago the oldest record was read that is not yet in ClickHouse; 0 if all are",
)
LOADER_RETRIES = Metric(
    "touchline_loader_retries", "counter", LOADER, "Attempts that failed because ClickHouse or Kafka was away"
)
PARTS = Metric(
    "touchline_loader_clickhouse_parts", "gauge", LOADER,
    "Active parts of the partition that has most of them, looked at every 30 seconds. ClickHouse slows inserts down"
    " from 1,000 on and refuses them from 3,000 on", ("table",),
)  # fmt: skip

COLLECTOR: Final = "collector"
COLLECTOR_REQUESTS = Metric(
    "touchline_collector_requests", "counter", COLLECTOR, "Requests answered", ("protocol", "status")
)
COLLECTOR_EVENTS = Metric(
    "touchline_collector_events", "counter", COLLECTOR, "Events taken or refused", ("protocol", "outcome")
)
COLLECTOR_SECONDS = Metric(
    "touchline_collector_request_seconds", "histogram", COLLECTOR,
    "From a request's head to its answer, the broker's acknowledgement included", ("protocol",), SHORT,
)  # fmt: skip
COLLECTOR_PENDING = Metric(
    "touchline_collector_pending_bytes",
    "gauge",
    COLLECTOR,
    "Bytes of bodies being read and of records that the broker has not acknowledged",
)

PAGE: Final = "page"
PAGE_REQUESTS = Metric("touchline_page_requests", "counter", PAGE, "Requests answered", ("route", "status"))
PAGE_SECONDS = Metric(
    "touchline_page_request_seconds", "histogram", PAGE,
    "From a request to its answer's head; of a live stream, to its end", ("route",), SHORT,
)  # fmt: skip
PAGE_OPEN = Metric("touchline_page_live_connections", "gauge", PAGE, "Browsers that follow changes now")
PAGE_SOURCES = Metric(
    "touchline_page_source_up", "gauge", PAGE, "1 while ClickHouse or Kafka answers, else 0", ("part",)
)

ALL: Final = tuple(one for one in list(globals().values()) if isinstance(one, Metric))
