"""Metrics of the service of subscribers (`touchline serve`)."""

from schemas.metrics.metric import Metric

REQUESTS = Metric(
    "touchline_subscribers_requests", "counter", "Requests answered; a stream counts when it begins",
    ("kind", "status"),
)  # fmt: skip
SECONDS = Metric(
    "touchline_subscribers_request_seconds", "histogram",
    "From a request's head to its answer, without streams and those that wait for an event", ("kind",),
    (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)  # fmt: skip
STREAMS = Metric("touchline_subscribers_streams", "gauge", "Streams that are open now", ("stream",))
EVENTS = Metric(
    "touchline_subscribers_events", "counter", "Events written to readers of streams", ("stream",)
)
PAST = Metric(
    "touchline_subscribers_past", "counter",
    "Times that a reader fell behind the window in memory and read the past", ("stream",),
)  # fmt: skip
LAG = Metric(
    "touchline_subscribers_lag_records", "gauge",
    "Records that the topics had and the table had not, when it was last compared",
)  # fmt: skip
AGE = Metric(
    "touchline_subscribers_age_seconds", "gauge", "Seconds since the table had all that the topics had"
)
REJECTED = Metric(
    "touchline_subscribers_rejected_records", "gauge",
    "Records that Touchline cannot have written, which the table left out",
)  # fmt: skip
