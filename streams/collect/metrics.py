"""What the collector measures, for Prometheus; served if TOUCHLINE_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, Histogram

#: Requests answered, by protocol and HTTP status.
REQUESTS = Counter("touchline_collector_requests", "Requests answered", ["protocol", "status"])

#: Events by protocol and what became of them: accepted, or the reason of the refusal.
EVENTS = Counter("touchline_collector_events", "Events taken or refused", ["protocol", "outcome"])

#: Seconds from the arrival of a request's head to its answer, the broker's acknowledgement included.
SECONDS = Histogram(
    "touchline_collector_request_seconds",
    "From a request's head to its answer",
    ["protocol"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)

#: Bytes of bodies being read and of records that the broker has not acknowledged.
PENDING = Gauge("touchline_collector_pending_bytes", "Bytes not yet acknowledged by the broker")
