"""What the webhooks service measures; schemas/metrics/webhooks.py says what each metric means."""

from typing import Final

from schemas.measures import counter, gauge, histogram
from schemas.metrics import webhooks as metrics

OUTCOMES: Final = counter(metrics.OUTCOMES)
ATTEMPT_SECONDS: Final = histogram(metrics.ATTEMPT_SECONDS)
LATENESS_SECONDS: Final = histogram(metrics.LATENESS_SECONDS)
PENDING: Final = gauge(metrics.PENDING)
OLDEST_SECONDS: Final = gauge(metrics.OLDEST_SECONDS)
CIRCUIT: Final = gauge(metrics.CIRCUIT)
LAG: Final = gauge(metrics.LAG)
VIEW_SECONDS: Final = gauge(metrics.VIEW_SECONDS)
