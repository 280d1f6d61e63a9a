"""What the collector measures; schemas/metrics/collector.py says what each metric means."""

from typing import Final

from schemas.measures import counter, gauge, histogram
from schemas.metrics import collector as metrics

REQUESTS: Final = counter(metrics.REQUESTS)
EVENTS: Final = counter(metrics.EVENTS)
SECONDS: Final = histogram(metrics.SECONDS)
PENDING: Final = gauge(metrics.PENDING)
