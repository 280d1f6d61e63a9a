"""When a loader reconciles: beside loading, in a thread of its own, for at most a twentieth of the time."""

import asyncio
import logging
from collections.abc import Callable
from threading import Event
from typing import Final

from schemas.errors import SinkError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.write import metrics
from sinks.clickhouse.write.reconcile.journal import What
from sinks.clickhouse.write.reconcile.reconciliation import BOTH, Reconciliation

SHARE: Final = 20  #: a run is followed by a pause of so many times its duration, divided among both kinds
LEAST_SECONDS: Final = 2.0  #: the shortest pause between two runs of one kind
#: The longest pause: owners are wanted soon. Profiles cost more, and theirs is an hour.
MOST_SECONDS: Final[dict[What, float]] = {"owners": 60.0, "profiles": 3600.0}
STOP_SECONDS: Final = 1.0  #: how long a stop waits for the statement that runs before it cuts the connection

_log = logging.getLogger("touchline.loader")


def pause(what: What, took: float) -> float:
    """Seconds from the end of a run to the next of its kind. `took`: seconds that the run lasted."""
    return min(max(SHARE * len(BOTH) * took, LEAST_SECONDS), MOST_SECONDS[what])


class Schedule:
    """Runs a Reconciliation from time to time; `clock` counts seconds."""

    def __init__(self, where: ClickHouse, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stopping = Event()
        self._reconciliation = Reconciliation(where, self._stopping)
        self._due: dict[What, float] = dict.fromkeys(BOTH, clock())
        self._working: asyncio.Task[None] | None = None
        self._failing = False

    def work(self, *, mine: bool) -> None:
        """Start the run that is due, if it is this loader's part. Raises the SettingsError that ended the last run."""
        if self._working is not None and self._working.done():
            self._working.result()
            self._working = None
        if mine and self._working is None:
            what = min(BOTH, key=lambda one: self._due[one])
            if self._due[what] <= self._clock():
                self._working = asyncio.create_task(self._run(what))

    async def stop(self) -> None:
        """End the run, if there is one: the next loader repeats it."""
        self._stopping.set()
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=STOP_SECONDS)
            self._reconciliation.close()
            await asyncio.wait({self._working}, timeout=STOP_SECONDS)
        else:
            self._reconciliation.close()

    async def _run(self, what: What) -> None:
        began = self._clock()
        try:
            until = await asyncio.to_thread(self._reconciliation.run, what)
        except (SinkError, UnavailableError) as error:
            if not self._stopping.is_set():
                metrics.RECONCILIATION_FAILURES.labels(what).inc()
                if not self._failing:
                    _log.warning(
                        "%s; owners and profiles in ClickHouse stay as they are until it does", error
                    )
                self._failing = True
        else:
            self._failing = False
            metrics.RECONCILIATION_SECONDS.labels(what).observe(self._clock() - began)
            metrics.RECONCILED_UNTIL.labels(what).set(until / 1000)
        self._due[what] = self._clock() + pause(what, self._clock() - began)
