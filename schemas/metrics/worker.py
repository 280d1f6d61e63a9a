"""Metrics of the worker."""

from schemas.metrics.metric import LATE, LONG, SHORT, Metric

RECORDS = Metric(
    "touchline_worker_records", "counter",
    "Records read and finished: their effects are acknowledged by the broker", ("stage",),
)  # fmt: skip
OUTPUTS = Metric(
    "touchline_worker_outputs", "counter", "Records published, changelogs among them", ("stage", "topic"),
)  # fmt: skip
DEAD_LETTERS = Metric(
    "touchline_worker_dead_letters",
    "counter",
    "Records set aside as dead letters",
    ("stage", "reason"),
)
STAGE_SECONDS = Metric(
    "touchline_worker_stage_seconds", "histogram",
    "From a record's time stamp in Kafka to the acknowledgement of its effects, for each record", ("stage",), LONG,
)  # fmt: skip
PUBLISH_TO_STATE = Metric(
    "touchline_worker_publish_to_state_seconds", "histogram",
    "From a touchpoint's reception (its received_at) to its acknowledged journey state; of every eighth fetch, and at"
    " least every second, the newest touchpoint. History counts with its age", (), LONG,
)  # fmt: skip
LATENESS = Metric(
    "touchline_worker_lateness_seconds", "histogram",
    "From a touchpoint's occurrence to its reception; of the same touchpoints", (), LATE,
)  # fmt: skip
DUE_TO_SIGNAL = Metric(
    "touchline_worker_due_to_signal_seconds", "histogram",
    "From a deadline, by the wall clock, to its acknowledged signals. History counts with its age", (), LONG,
)  # fmt: skip
LAG = Metric(
    "touchline_worker_lag_records", "gauge",
    "Records of an assigned partition that are not committed", ("topic", "partition"),
)  # fmt: skip
COMMIT_AGE = Metric(
    "touchline_worker_commit_age_seconds", "gauge",
    "How long ago the oldest record was read that is not committed; 0 if all are", ("topic", "partition"),
)  # fmt: skip
QUEUED = Metric(
    "touchline_worker_queued_records", "gauge",
    "Records read that wait for their agent", ("topic", "partition"),
)  # fmt: skip
PUBLISH_SECONDS = Metric(
    "touchline_worker_publish_seconds", "histogram",
    "How long the broker took to acknowledge what was published together", (), SHORT,
)  # fmt: skip
UNACKNOWLEDGED_AGE = Metric(
    "touchline_worker_unacknowledged_seconds",
    "gauge",
    "How long the oldest publication waits for the broker's acknowledgement; 0 if none does",
)
UNACKNOWLEDGED = Metric(
    "touchline_worker_unacknowledged_records", "gauge", "Records that wait to be sent to the broker"
)
BACKGROUND = Metric(
    "touchline_worker_background_tasks",
    "gauge",
    "Fetches whose newcomers wait for identity's decision",
)
WATERMARK = Metric(
    "touchline_worker_watermark_seconds", "gauge",
    "Newest event time seen: seconds since 1970", ("partition",),
)  # fmt: skip
DECISION_WAIT = Metric(
    "touchline_worker_decision_wait_seconds", "histogram",
    "How long the newcomers of a fetch waited for identity's decision", (), SHORT,
)  # fmt: skip
DECISIONS_LATE = Metric(
    "touchline_worker_decisions_late",
    "counter",
    "Fetches whose newcomers went on without a decision: it costs a Move",
)
UNDECIDED = Metric(
    "touchline_worker_undecided_records",
    "gauge",
    "Links and corrections read and not decided",
    ("partition",),
)
LANES = Metric(
    "touchline_worker_waiting_regions", "gauge",
    "Regions of identifiers whose links wait, each in a lane of its own", ("partition",),
)  # fmt: skip
PROFILE_CHANGES = Metric(
    "touchline_worker_profile_changes",
    "counter",
    "Merges, splits and erasures of profiles",
    ("kind", "cause"),
)
REFUSED_LINKS = Metric(
    "touchline_worker_refused_links", "gauge",
    "Links that the identity policy refuses now, as far as they are resolved", ("reason",),
)  # fmt: skip
STATE_ITEMS = Metric(
    "touchline_worker_state_items", "gauge",
    "What the state of an agent holds: of stitch `assignments` and `evidence`; of identity `identifiers`, those that"
    " are `contested` (several people share them), `quarantined` (limits refused very many links) or `oversized`"
    " (links would unite more of them than `component_size`), `tenants`, `unresolved_links`; of journeys `profiles`,"
    " `objects` (those that are not compressed), `deadlines`; `accounts`",
    ("state", "kind"),
)  # fmt: skip
COMPRESSED_BYTES = Metric(
    "touchline_worker_compressed_bytes",
    "gauge",
    "Bytes of compressed journeys, estimated from a sample of each partition",
)
UNPACKED = Metric(
    "touchline_worker_journeys_decompressed",
    "counter",
    "Journeys that were not kept as objects when they were needed. 1 - its rate / that of the journey states among"
    " touchline_worker_outputs_total is the hit rate of the cache",
)
PERHAPS_RAISED = Metric(
    "touchline_worker_write_ahead_profiles",
    "gauge",
    "Profiles with signals that were written ahead and that a crash may have cut off",
)
ASSIGNED = Metric("touchline_worker_assigned_partitions", "gauge", "Partitions of touchpoints assigned")
REBALANCES = Metric("touchline_worker_rebalances", "counter", "Rebalances that this worker took part in")
RESTORED = Metric(
    "touchline_worker_restored_records",
    "counter",
    "Changelog records applied by recoveries",
    ("state",),
)
RECOVERY_LEFT = Metric(
    "touchline_worker_recovery_remaining_records", "gauge",
    "Offsets that the recovery has still to read; 0 once it is over", ("state",),
)  # fmt: skip
RECOVERY_SECONDS = Metric(
    "touchline_worker_recovery_remaining_seconds",
    "gauge",
    "Estimate of the recovery's end at its rate so far; 0 once it is over, NaN before there is a rate",
)
STANDBY_PARTITIONS = Metric(
    "touchline_worker_standby_partitions",
    "gauge",
    "Changelog partitions of other workers of which this one has a warm copy that is up to date"
    " (TOUCHLINE_STANDBY_REPLICAS)",
)
STANDBY_LAG = Metric(
    "touchline_worker_standby_lag_records", "gauge",
    "Changelog offsets of other workers' partitions that are not in this one's copies yet", ("state",),
)  # fmt: skip
