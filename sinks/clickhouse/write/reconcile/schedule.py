"""When a loader reconciles: beside loading, in a thread of its own, and not more than its budget allows."""

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

SHARE: Final = 1 / 64  #: seconds of runs that each second allows: about a twentieth of what loading costs
SAVED_SECONDS: Final = 0.5  #: the most that is saved up while there is little to do
LEAST_SECONDS: Final = 2.0  #: from the end of a run to the next of its kind
#: The same if this loader has loaded nothing: another one may have, or an erasure has deleted rows.
IDLE_SECONDS: Final = 10.0
#: After this a run of its kind begins whatever the budget, unless its last one took more than its share of that time.
MOST_SECONDS: Final = 60.0
STOP_SECONDS: Final = 1.0  #: how long a stop waits for the statement that runs before it cuts the connection

_log = logging.getLogger("touchline.loader")


class Schedule:
    """Runs a Reconciliation from time to time; `clock` counts seconds."""

    def __init__(self, where: ClickHouse, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._stopping = Event()
        self._reconciliation = Reconciliation(where, self._stopping)
        self._ended: dict[What, float] = dict.fromkeys(BOTH, clock() - LEAST_SECONDS)
        self._needed: dict[What, bool] = dict.fromkeys(
            BOTH, True
        )  #: whether anything was loaded since it began
        self._took: dict[What, float] = dict.fromkeys(BOTH, 0.0)  #: seconds of the last run
        self._budget = SAVED_SECONDS  #: seconds of runs; below 0 after a run that took longer
        self._budgeted = clock()  #: when it was counted
        self._working: asyncio.Task[None] | None = None
        self._failing = False

    def loaded(self) -> None:
        """Say that something was loaded, so that there is something to reconcile."""
        self._needed = dict.fromkeys(BOTH, True)

    def work(self, *, mine: bool) -> None:
        """Start the run that is due, if it is this loader's part. Raises the SettingsError that ended the last run."""
        if self._working is not None and self._working.done():
            self._working.result()
            self._working = None
        if mine and self._working is None:
            due = [what for what in BOTH if self._is_due(what)]
            if due:
                what = min(due, key=lambda one: self._ended[one])
                self._needed[what] = False
                self._working = asyncio.create_task(self._run(what))

    def _is_due(self, what: What) -> bool:
        now = self._clock()
        self._budget = min(self._budget + (now - self._budgeted) * SHARE, SAVED_SECONDS)
        self._budgeted = now
        pause = LEAST_SECONDS if self._budget > 0 else max(MOST_SECONDS, self._took[what] / SHARE)
        idle = now - self._ended[what]
        return idle >= pause and (self._needed[what] or idle >= IDLE_SECONDS)

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
            self._needed[what] = True
            if not self._stopping.is_set():
                metrics.RECONCILIATION_FAILURES.labels(what).inc()
                if not self._failing:
                    _log.warning(
                        "%s; owners and profiles in ClickHouse stay as they are until it does", error
                    )
                self._failing = True
        else:
            self._failing = False
            self._needed["profiles"] |= what == "owners"
            metrics.RECONCILIATION_SECONDS.labels(what).observe(self._clock() - began)
            metrics.RECONCILED_UNTIL.labels(what).set(until / 1000)
        self._ended[what] = self._clock()
        self._took[what] = self._ended[what] - began
        self._budget -= self._took[what]
