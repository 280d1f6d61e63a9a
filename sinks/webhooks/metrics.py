"""The webhooks service's Prometheus metrics, served if TOUCHLINE_METRICS_PORT is set."""

from prometheus_client import Counter, Gauge, Histogram

#: Attempts and decisions by endpoint and outcome (DELIVERED, RETRY, WITHHELD, SUPERSEDED, DEAD).
OUTCOMES = Counter(
    "touchline_webhooks_outcomes", "What became of attempts and messages", ["endpoint", "outcome"]
)

#: Seconds that an attempt took, answered or not.
ATTEMPT_SECONDS = Histogram(
    "touchline_webhooks_attempt_seconds",
    "One attempt",
    ["endpoint"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)

#: Seconds from the signal in Kafka until the receiver confirmed it.
LATENESS_SECONDS = Histogram(
    "touchline_webhooks_lateness_seconds",
    "From the signal in Kafka to the receiver's confirmation",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600, 86400),
)

#: Messages that wait for an attempt in this instance's partitions, and how long the oldest has waited.
PENDING = Gauge("touchline_webhooks_pending", "Messages that wait", ["endpoint"])
OLDEST_SECONDS = Gauge(
    "touchline_webhooks_oldest_pending_seconds", "Age of the oldest message that waits", ["endpoint"]
)

#: 1 while an endpoint is left alone after failures, 2 once it has said 410.
CIRCUIT = Gauge("touchline_webhooks_circuit", "0 closed, 1 open, 2 stopped by the receiver", ["endpoint"])

#: Records of the group's topics that are not in the outbox yet.
LAG = Gauge("touchline_webhooks_lag_records", "Records not yet taken into the outbox")

#: Age of the view of journey states: consent is as new as that.
VIEW_SECONDS = Gauge("touchline_webhooks_view_age_seconds", "Age of the view by which consent is decided")
