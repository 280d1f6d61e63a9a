"""Metrics of every process."""

from schemas.metrics.metric import SHORT, Metric

INFO = Metric(
    "touchline_info",
    "gauge",
    "Always 1: which release and core runs, by which meanings",
    ("process", "version", "core", "meanings"),
)
READY = Metric("touchline_ready", "gauge", "1 while /readyz answers 200, else 0", ("process",))
LOOP_LATE = Metric(
    "touchline_event_loop_late_seconds", "histogram",
    "How late the event loop was for a call that is due every second", (), SHORT,
)  # fmt: skip
GC_PAUSE = Metric(
    "touchline_gc_pause_seconds", "histogram", "How long a garbage collection held the process up",
    ("generation",), SHORT,
)  # fmt: skip
LOG_RECORDS = Metric("touchline_log_records", "counter", "Log records from WARNING on", ("level",))
