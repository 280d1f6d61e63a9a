"""What a worker counts while it works: once a fetch, not once a record, wherever that says the same.

schemas/metrics.py says what each metric means. Gauges that are read from the worker's state are in streams/monitor.py.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any, Final

from schemas import metrics
from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.errors import ContractError
from schemas.measures import BatchHistogram, counter, histogram

RECORDS: Final = counter(metrics.RECORDS)
OUTPUTS: Final = counter(metrics.OUTPUTS)
DEAD_LETTERS: Final = counter(metrics.DEAD_LETTERS)
STAGE_SECONDS: Final = BatchHistogram(metrics.STAGE_SECONDS)
PUBLISH_TO_STATE: Final = histogram(metrics.PUBLISH_TO_STATE)
LATENESS: Final = histogram(metrics.LATENESS)
DUE_TO_SIGNAL: Final = BatchHistogram(metrics.DUE_TO_SIGNAL)
PUBLISH_SECONDS: Final = histogram(metrics.PUBLISH_SECONDS)
DECISION_WAIT: Final = histogram(metrics.DECISION_WAIT)
DECISIONS_LATE: Final = counter(metrics.DECISIONS_LATE)
PROFILE_CHANGES: Final = counter(metrics.PROFILE_CHANGES)
REBALANCES: Final = counter(metrics.REBALANCES)
RESTORED: Final = counter(metrics.RESTORED)

_records_of: Final = cache(RECORDS.labels)
_outputs_of: Final = cache(OUTPUTS.labels)


def published(stage: str, places: Iterable[tuple[tuple[str, int], list[Any]]]) -> None:
    """Count the records of an outbox, given by topic partition, that the broker has acknowledged."""
    for (topic, _), records in places:
        _outputs_of(stage, topic).inc(len(records))


def finished(stage: str, records: list[Any]) -> None:
    """Count records whose effects the broker has acknowledged, and how long each took since it was published."""
    if not records:
        return
    now = time.time() * 1000
    _records_of(stage).inc(len(records))
    STAGE_SECONDS.observe_all([(now - record.timestamp) / 1000 for record in records], stage)
    if stage == "journeys":
        _measure_newest(records)


def decided(waited: float, *, in_time: bool) -> None:
    """Note that newcomers have waited so many seconds for identity's decision, and whether there was one in time."""
    DECISION_WAIT.observe(waited)
    if not in_time:
        DECISIONS_LATE.inc()


def _measure_newest(records: list[Any]) -> None:
    """Measure the newest touchpoint among journey inputs whose states the broker has acknowledged: one is decoded."""
    for record in reversed(records):
        if (record.value or b"").startswith(RESOLVED_TOUCHPOINT.header):
            with suppress(ContractError):  # a dead letter by now
                touchpoint = RESOLVED_TOUCHPOINT.decode(record.value)["touchpoint"]
                PUBLISH_TO_STATE.observe(max(0.0, time.time() - touchpoint["received_at"] / 1000))
                LATENESS.observe(max(0.0, (touchpoint["received_at"] - touchpoint["occurred_at"]) / 1000))
            return
