"""The loader's Prometheus metrics, served if TOUCHLINE_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, Histogram

#: Rows that ClickHouse has acknowledged, by table.
ROWS_LOADED = Counter("touchline_loader_rows", "Rows acknowledged by ClickHouse", ["table"])

#: Batches that ClickHouse did not take as Avro, by table: a record in them is bad, or its version or rights do not do.
REFUSED_FILES = Counter("touchline_loader_refused_files", "Batches loaded row by row after all", ["table"])

#: Records sent to dead-letters by the loader, by reason.
DEAD_LETTERS = Counter("touchline_loader_dead_letters", "Records sent to dead-letters", ["reason"])

#: Seconds from the start of a flush until its offsets were committed, outages included.
FLUSH_SECONDS = Histogram(
    "touchline_loader_flush_seconds",
    "Decode, insert and commit of one batch",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)

#: Seconds of a run beside loading, by what it reconciled: owners (and copies), or profiles.
RECONCILIATION_SECONDS = Histogram(
    "touchline_loader_reconciliation_seconds",
    "A run that brought owners or profiles in line with what was loaded",
    ["what"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)

#: Runs that failed; the next one repeats them.
RECONCILIATION_FAILURES = Counter(
    "touchline_loader_reconciliation_failures", "Reconciliations that failed", ["what"]
)

#: Up to when everything that was loaded is reconciled: seconds since 1970 by ClickHouse's clock. The view
#: `reconciled` says it too.
RECONCILED_UNTIL = Gauge(
    "touchline_loader_reconciled_until_seconds", "Loaded before this time and reconciled", ["what"]
)

#: Records in the assigned partitions that are not yet in ClickHouse.
LAG = Gauge("touchline_loader_lag_records", "Records not yet in ClickHouse")
