"""What the loader measures; schemas/metrics/loader.py says what each metric means."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from schemas.errors import Reason
from schemas.measures import BatchHistogram, counter, gauge, histogram
from schemas.metrics import loader as metrics

ROWS_LOADED: Final = counter(metrics.ROWS_LOADED)
REFUSED_FILES: Final = counter(metrics.REFUSED_FILES)
DEAD_LETTERS: Final = counter(metrics.DEAD_LETTERS)
for _reason in Reason:
    # from 0 on: Prometheus sees no increase in a series that begins with its first dead letter
    DEAD_LETTERS.labels(_reason.value)
FLUSH_SECONDS: Final = histogram(metrics.FLUSH_SECONDS)
INSERT_SECONDS: Final = histogram(metrics.INSERT_SECONDS)
STAGE_SECONDS: Final = BatchHistogram(metrics.STAGE_SECONDS)
PUBLISH_TO_ROW: Final = BatchHistogram(metrics.PUBLISH_TO_ROW)
RECONCILIATION_SECONDS: Final = histogram(metrics.RECONCILIATION_SECONDS)
RECONCILIATION_FAILURES: Final = counter(metrics.RECONCILIATION_FAILURES)
RECONCILED_UNTIL: Final = gauge(metrics.RECONCILED_UNTIL)
LAG: Final = gauge(metrics.LAG)
COMMIT_AGE: Final = gauge(metrics.COMMIT_AGE)
PARTS: Final = gauge(metrics.PARTS)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure a stage of a flush, also one that fails."""
    began = time.monotonic()
    try:
        yield
    finally:
        STAGE_SECONDS.observe(time.monotonic() - began, name)
