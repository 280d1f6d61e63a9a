"""What a worker says about itself: which partitions it has, and when it has restored them and reads."""

import logging
from typing import Any, Final

from faust.types import TP

from schemas.topics import TOUCHPOINTS
from streams.runtime.app import WorkerApp

log: Final = logging.getLogger("touchline.worker")


def announce(app: WorkerApp) -> None:
    """Log one line at each assignment and one when the worker begins to read."""
    touchpoints = app.settings.topic(TOUCHPOINTS.name)

    async def assigned(sender: Any, assigned: set[TP], **_: Any) -> None:  # noqa: ARG001 (Faust's signature)
        ours = sorted(tp.partition for tp in assigned if tp.topic == touchpoints)
        total = app.topic_partitions.get(touchpoints, 0)
        if ours:
            log.info("assigned partitions %s of %d: restoring their state", spans(ours), total)
        else:
            log.info("no partition of %d is left for this worker: it stands by", total)

    async def ready(sender: Any, **_: Any) -> None:  # noqa: ARG001
        if app.consumer.assignment():
            log.info("ready: state is restored, reading begins")

    app.on_partitions_assigned.connect(assigned)
    app.on_rebalance_complete.connect(ready)


def spans(numbers: list[int]) -> str:
    """Ascending numbers, runs of them joined: 0-3, 5, 7-8."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
