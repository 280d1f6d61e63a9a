"""Metrics of the webhooks service."""

from schemas.metrics.metric import Metric

OUTCOMES = Metric(
    "touchline_webhooks_outcomes", "counter", "What became of attempts and messages",
    ("endpoint", "outcome"),
)  # fmt: skip
ATTEMPT_SECONDS = Metric(
    "touchline_webhooks_attempt_seconds", "histogram", "One attempt, answered or not", ("endpoint",),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)  # fmt: skip
LATENESS_SECONDS = Metric(
    "touchline_webhooks_lateness_seconds", "histogram",
    "From the signal in Kafka to the receiver's confirmation", ("endpoint",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600, 86_400),
)  # fmt: skip
PENDING = Metric(
    "touchline_webhooks_pending", "gauge",
    "Messages that wait for an attempt in the partitions of this process", ("endpoint",),
)  # fmt: skip
OLDEST_SECONDS = Metric(
    "touchline_webhooks_oldest_pending_seconds", "gauge", "Age of the oldest message that waits",
    ("endpoint",),
)  # fmt: skip
CIRCUIT = Metric(
    "touchline_webhooks_circuit", "gauge",
    "0: messages go to the endpoint; 1: it is left alone after failures; 2: it has said 410", ("endpoint",),
)  # fmt: skip
LAG = Metric("touchline_webhooks_lag_records", "gauge", "Records of signals that are not in the outbox yet")
VIEW_SECONDS = Metric(
    "touchline_webhooks_view_age_seconds", "gauge",
    "Age of the view of journey states: consent is as new as that",
)  # fmt: skip
