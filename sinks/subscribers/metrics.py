"""What the service of subscribers measures; schemas/metrics/subscribers.py says what each metric means."""

from typing import Final

from schemas.measures import counter, gauge, histogram
from schemas.metrics import subscribers as metrics

REQUESTS: Final = counter(metrics.REQUESTS)
SECONDS: Final = histogram(metrics.SECONDS)
STREAMS: Final = gauge(metrics.STREAMS)
EVENTS: Final = counter(metrics.EVENTS)
PAST: Final = counter(metrics.PAST)
LAG: Final = gauge(metrics.LAG)
AGE: Final = gauge(metrics.AGE)
REJECTED: Final = gauge(metrics.REJECTED)
