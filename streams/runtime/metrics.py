"""What a worker counts while it works: once a fetch, not once a record, wherever that says the same.

schemas/metrics/worker.py says what each metric means. Gauges that are read from the worker's state are in
streams/monitor.py.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.measures import BatchCounter, BatchHistogram, counter
from schemas.metrics import worker as metrics

RECORDS: Final = BatchCounter(metrics.RECORDS)
OUTPUTS: Final = BatchCounter(metrics.OUTPUTS)
DEAD_LETTERS: Final = counter(metrics.DEAD_LETTERS)
STAGE_SECONDS: Final = BatchHistogram(metrics.STAGE_SECONDS)
PUBLISH_TO_STATE: Final = BatchHistogram(metrics.PUBLISH_TO_STATE)
LATENESS: Final = BatchHistogram(metrics.LATENESS)
DUE_TO_SIGNAL: Final = BatchHistogram(metrics.DUE_TO_SIGNAL)
PUBLISH_SECONDS: Final = BatchHistogram(metrics.PUBLISH_SECONDS)
DECISION_WAIT: Final = BatchHistogram(metrics.DECISION_WAIT)
DECISIONS_LATE: Final = counter(metrics.DECISIONS_LATE)
PROFILE_CHANGES: Final = BatchCounter(metrics.PROFILE_CHANGES)
REBALANCES: Final = counter(metrics.REBALANCES)
RESTORED: Final = counter(metrics.RESTORED)

for _stage in ("stitch", "identity", "journeys", "accounts"):
    for _reason in Reason:
        # from 0 on: Prometheus sees no increase in a series that begins with its first dead letter
        DEAD_LETTERS.labels(_stage, _reason.value)

#: A touchpoint is decoded to be measured after so many fetches, or so many seconds, whatever comes first.
MEASURED_FETCHES: Final = 8
MEASURED_SECONDS: Final = 1.0


def published(stage: str, places: Iterable[tuple[tuple[str, int], list[Any]]]) -> None:
    """Count the records of an outbox, given by topic partition, that the broker has acknowledged."""
    for (topic, _), records in places:
        OUTPUTS.add(len(records), stage, topic)


def finished(stage: str, records: list[Any]) -> None:
    """Count records whose effects the broker has acknowledged, and how long each took since it was published."""
    if not records:
        return
    now = time.time() * 1000
    RECORDS.add(len(records), stage)
    oldest, newest = (now - records[0].timestamp) / 1000, (now - records[-1].timestamp) / 1000
    if not STAGE_SECONDS.observe_alike(len(records), oldest, newest, stage):
        STAGE_SECONDS.observe_all([(now - record.timestamp) / 1000 for record in records], stage)
    if stage == "journeys":
        _SAMPLE.fetch(records, now / 1000)


def decided(waited: float, *, in_time: bool) -> None:
    """Note that newcomers have waited so many seconds for identity's decision, and whether there was one in time."""
    DECISION_WAIT.observe(waited)
    if not in_time:
        DECISIONS_LATE.inc()


class _Sample:
    """Chooses the fetches of journey inputs of which one touchpoint is decoded and measured."""

    def __init__(self) -> None:
        self._fetches = 0  #: to leave out
        self._until = 0.0  #: seconds

    def fetch(self, records: list[Any], now: float) -> None:
        """Measure the newest touchpoint of a fetch whose states the broker has acknowledged, if it is its turn."""
        self._fetches -= 1
        if self._fetches > 0 and self._until > now:
            return
        for record in reversed(records):
            if (record.value or b"").startswith(RESOLVED_TOUCHPOINT.header):
                self._fetches, self._until = MEASURED_FETCHES, now + MEASURED_SECONDS
                with suppress(ContractError):  # a dead letter by now
                    touchpoint = RESOLVED_TOUCHPOINT.decode(record.value)["touchpoint"]
                    PUBLISH_TO_STATE.observe(max(0.0, now - touchpoint["received_at"] / 1000))
                    LATENESS.observe(max(0.0, (touchpoint["received_at"] - touchpoint["occurred_at"]) / 1000))
                return


_SAMPLE: Final = _Sample()
