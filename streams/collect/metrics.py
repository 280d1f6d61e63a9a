"""What the collector measures; schemas/metrics.py says what each metric means."""

from typing import Final

from schemas import metrics
from schemas.measures import counter, gauge, histogram

REQUESTS: Final = counter(metrics.COLLECTOR_REQUESTS)
EVENTS: Final = counter(metrics.COLLECTOR_EVENTS)
SECONDS: Final = histogram(metrics.COLLECTOR_SECONDS)
PENDING: Final = gauge(metrics.COLLECTOR_PENDING)
