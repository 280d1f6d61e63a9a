"""Metrics of the loader."""

from schemas.metrics.metric import LONG, Metric

ROWS_LOADED = Metric("touchline_loader_rows", "counter", "Rows acknowledged by ClickHouse", ("table",))
REFUSED_FILES = Metric(
    "touchline_loader_refused_files", "counter",
    "Batches that ClickHouse did not take as Avro, and that were loaded row by row after all", ("table",),
)  # fmt: skip
DEAD_LETTERS = Metric("touchline_loader_dead_letters", "counter", "Records sent to dead-letters", ("reason",))
FLUSH_SECONDS = Metric(
    "touchline_loader_flush_seconds", "histogram",
    "Decode, insert and commit of one batch, outages included", (),
    (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)  # fmt: skip
INSERT_SECONDS = Metric(
    "touchline_loader_insert_seconds", "histogram",
    "One insert into a table, with its retries", ("table",), LONG,
)  # fmt: skip
STAGE_SECONDS = Metric(
    "touchline_loader_stage_seconds", "histogram",
    "Where a row's time goes: fetch (from the time stamp of the first record of a partition's fetch until it was read),"
    " hold (from the first read until the flush), prepare, insert (all tables), commit", ("stage",),
    (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2.5, 5, 10, 60, 600),
)  # fmt: skip
PUBLISH_TO_ROW = Metric(
    "touchline_loader_publish_to_row_seconds", "histogram",
    "From a record's time stamp in Kafka to its committed row, for each record", ("topic",), LONG,
)  # fmt: skip
RECONCILIATION_SECONDS = Metric(
    "touchline_loader_reconciliation_seconds", "histogram",
    "A run that brought owners or profiles in line with what was loaded", ("what",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)  # fmt: skip
RECONCILIATION_FAILURES = Metric(
    "touchline_loader_reconciliation_failures", "counter",
    "Reconciliations that failed; the next one repeats them", ("what",),
)  # fmt: skip
RECONCILED_UNTIL = Metric(
    "touchline_loader_reconciled_until_seconds", "gauge",
    "Everything loaded before this time, seconds since 1970 by ClickHouse's clock, is reconciled", ("what",),
)  # fmt: skip
LAG = Metric("touchline_loader_lag_records", "gauge", "Records not yet in ClickHouse", ("topic", "partition"))
COMMIT_AGE = Metric(
    "touchline_loader_commit_age_seconds",
    "gauge",
    "How long ago the oldest record was read that is not yet in ClickHouse; 0 if all are",
)
RETRIES = Metric(
    "touchline_loader_retries", "counter", "Attempts that failed because ClickHouse or Kafka was away"
)
PARTS = Metric(
    "touchline_loader_clickhouse_parts", "gauge",
    "Active parts of the partition that has most of them, looked at every 30 seconds. ClickHouse slows inserts down"
    " from 1,000 on and refuses them from 3,000 on", ("table",),
)  # fmt: skip
