"""Metrics of the live page."""

from schemas.metrics.metric import SHORT, Metric

REQUESTS = Metric("touchline_page_requests", "counter", "Requests answered", ("route", "status"))
SECONDS = Metric(
    "touchline_page_request_seconds", "histogram",
    "From a request to its answer's head; of a live stream, to its end", ("route",), SHORT,
)  # fmt: skip
OPEN = Metric("touchline_page_live_connections", "gauge", "Browsers that follow changes now")
SOURCES = Metric(
    "touchline_page_source_up", "gauge", "1 while ClickHouse or Kafka answers, else 0", ("part",)
)
