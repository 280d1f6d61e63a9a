"""What the service measures, for Prometheus; served if TOUCHLINE_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, Histogram

#: Requests answered, by kind and HTTP status; a stream counts when it begins.
REQUESTS = Counter("touchline_subscribers_requests", "Requests answered", ["kind", "status"])

#: Seconds from a request's head to its answer, without those that wait for an event and streams.
SECONDS = Histogram(
    "touchline_subscribers_request_seconds",
    "From a request's head to its answer",
    ["kind"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)

#: Streams of events that are open now.
STREAMS = Gauge("touchline_subscribers_streams", "Open streams", ["stream"])

#: Events that were written to readers.
EVENTS = Counter("touchline_subscribers_events", "Events written to readers of streams", ["stream"])

#: How often a reader fell behind the window in memory and read the past.
PAST = Counter("touchline_subscribers_past", "Times that a reader read the past", ["stream"])

#: Records that the topics had and the table had not, when it was last compared.
LAG = Gauge("touchline_subscribers_lag_records", "Records that the table lacks")

#: Seconds since the table had all that the topics had.
AGE = Gauge("touchline_subscribers_age_seconds", "Age of the table")

#: Records that Touchline cannot have written, which the table left out.
REJECTED = Gauge("touchline_subscribers_rejected_records", "Records that the table left out")
