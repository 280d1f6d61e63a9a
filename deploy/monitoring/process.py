"""What every process measures of itself: pauses for garbage collections, and warnings that it logged."""

import gc
import logging
from time import perf_counter
from typing import Any, Final

from schemas.measures import BatchHistogram, counter
from schemas.metrics import process as metrics

#: It takes no lock: a collection may begin while this very thread reads the histogram.
GC_PAUSE: Final = BatchHistogram(metrics.GC_PAUSE)
LOG_RECORDS: Final = counter(metrics.LOG_RECORDS)


class _Pauses:
    """A callback of the garbage collector."""

    def __init__(self) -> None:
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = perf_counter()
        else:
            GC_PAUSE.observe_all([perf_counter() - self._began], str(info["generation"]))


class _Counting(logging.Handler):
    """Counts log records instead of writing them."""

    def emit(self, record: logging.LogRecord) -> None:
        LOG_RECORDS.labels(record.levelname).inc()


_PAUSES: Final = _Pauses()
_COUNTING: Final = _Counting(logging.WARNING)


def watch_process() -> None:
    """Measure from now on. To call it again changes nothing."""
    if _PAUSES not in gc.callbacks:
        gc.callbacks.append(_PAUSES)
    for level in ("WARNING", "ERROR", "CRITICAL"):
        # from 0 on: Prometheus sees no increase in a series that begins with its first record
        LOG_RECORDS.labels(level)
    root = logging.getLogger()
    if _COUNTING not in root.handlers:
        root.addHandler(_COUNTING)
