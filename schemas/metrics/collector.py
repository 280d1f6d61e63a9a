"""Metrics of the collector."""

from schemas.metrics.metric import SHORT, Metric

REQUESTS = Metric("touchline_collector_requests", "counter", "Requests answered", ("protocol", "status"))
EVENTS = Metric("touchline_collector_events", "counter", "Events taken or refused", ("protocol", "outcome"))
SECONDS = Metric(
    "touchline_collector_request_seconds", "histogram",
    "From a request's head to its answer, the broker's acknowledgement included", ("protocol",), SHORT,
)  # fmt: skip
PENDING = Metric(
    "touchline_collector_pending_bytes",
    "gauge",
    "Bytes of bodies being read and of records that the broker has not acknowledged",
)
