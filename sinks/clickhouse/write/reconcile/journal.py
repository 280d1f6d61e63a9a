"""The durable memory of reconciliation: up to which time everything that was loaded is reconciled, and which runs
began.

Times are those of ClickHouse's clock in UTC milliseconds. Every row says when it was loaded (`loaded_at`), by that
clock, and shows within MARGIN_MS of it; what takes longer is noted (session.py). A run reads all rows loaded since
the mark that earlier runs left. Its own mark is the time of its beginning less the margin, and it leaves none if it
fails.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import uuid4

from sinks.clickhouse.write.reconcile.session import Session

What = Literal["owners", "profiles"]

#: From the `loaded_at` of a row until it shows, and how far the clock may be set back. Twice session.SLOW_SECONDS.
MARGIN_MS: Final = 3_000
#: After this no statement of a run that died can be running any more.
ABANDONED_SECONDS: Final = 600

#: The time, the mark, and the runs that began and did not end. A row of each: a run's two rows may be merged or not.
_LOOK: Final = """
    SELECT
        toUnixTimestamp64Milli(now64(3)),
        (SELECT maxOrDefault(toUnixTimestamp64Milli(until)) FROM raw_reconciliations
            WHERE what = %(what)s AND finished = 1),
        (SELECT groupArray(run) FROM (
            SELECT (run_id, min(toUnixTimestamp64Milli(since)), min(toUnixTimestamp64Milli(r.started_at))) AS run
            FROM raw_reconciliations AS r WHERE what = %(what)s GROUP BY run_id HAVING max(finished) = 0))
"""
#: Of the notes that no run with this mark has read: how many, and the earliest beginning of what became visible late.
_NOTES: Final = """
    SELECT count(), minOrNull(toUnixTimestamp64Milli(loaded_since)) FROM raw_reconciliation_notes
    WHERE noted_at >= fromUnixTimestamp64Milli(toInt64(%(mark)s), 'UTC')
"""
_STORE: Final = """
    INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)
    SELECT %(run)s, %(what)s, fromUnixTimestamp64Milli(toInt64(%(now)s), 'UTC'),
        fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC'), fromUnixTimestamp64Milli(toInt64(%(until)s), 'UTC'),
        %(finished)s
"""
_FORGET: Final = """
    DELETE FROM raw_reconciliations
    WHERE what = %(what)s AND until > fromUnixTimestamp64Milli(toInt64(%(now)s), 'UTC')
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that began. `others`: earlier runs that did not end, as far as is known."""

    run_id: str
    what: What
    began: int
    since: int
    until: int
    noted: bool  #: whether there are notes to read
    others: dict[str, int]  #: run → when it began


def begin(session: Session, what: What, margin_ms: int) -> Run:
    """Note that a run begins, and where."""
    ((now, mark, unfinished),) = session.run(_LOOK, {"what": what})
    if mark > now:
        # The clock was set back: what was loaded since is dated before the mark. So everything is reconciled again.
        session.run(_FORGET, {"what": what, "now": now})
        mark = 0
    ((notes, late),) = session.run(_NOTES, {"mark": mark})
    since = min([mark, *(began for _, began, _ in unfinished), *([] if late is None else [late])])
    others = {run: started for run, _, started in unfinished}
    run = Run(str(uuid4()), what, now, since, max(now - margin_ms, 0), notes > 0, others)
    _store(session, run, finished=0)
    return run


def finish(session: Session, run: Run) -> None:
    """Advance the mark. Runs that died long before this one began have nothing to do any more."""
    _store(session, run, finished=1)
    for other, began in run.others.items():
        if run.began - began > ABANDONED_SECONDS * 1000:
            session.run("DELETE FROM raw_reconciliations WHERE run_id = %(run)s", {"run": other})


def _store(session: Session, run: Run, *, finished: int) -> None:
    times = {"now": run.began, "since": run.since, "until": run.until}
    session.run(_STORE, {"run": run.run_id, "what": run.what, "finished": finished, **times})
