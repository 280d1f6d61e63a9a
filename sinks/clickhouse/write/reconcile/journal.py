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

_NOW: Final = "SELECT toUnixTimestamp64Milli(now64(3))"
_MARK: Final = """
    SELECT maxOrDefault(toUnixTimestamp64Milli(until)) FROM raw_reconciliations FINAL
    WHERE what = %(what)s AND finished = 1
"""
#: The earliest beginning of what became visible late, of notes that no run with this mark has read.
_LATE: Final = """
    SELECT minOrNull(toUnixTimestamp64Milli(loaded_since)) FROM raw_reconciliation_notes
    WHERE noted_at >= fromUnixTimestamp64Milli(%(mark)s, 'UTC')
"""
_UNFINISHED: Final = """
    SELECT run_id, toUnixTimestamp64Milli(since), toUnixTimestamp64Milli(started_at) FROM raw_reconciliations FINAL
    WHERE what = %(what)s AND finished = 0
"""
_BEGIN: Final = """
    INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)
    SELECT %(run)s, %(what)s, fromUnixTimestamp64Milli(toInt64(%(now)s), 'UTC'),
        fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC'), fromUnixTimestamp64Milli(toInt64(%(until)s), 'UTC'), 0
"""
_FORGET: Final = """
    DELETE FROM raw_reconciliations
    WHERE what = %(what)s AND until > fromUnixTimestamp64Milli(toInt64(%(now)s), 'UTC')
"""
_FINISH: Final = """
    INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)
    SELECT run_id, what, started_at, since, until, 1 FROM raw_reconciliations FINAL
    WHERE what = %(what)s AND run_id = %(run)s
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that began. `others`: earlier runs that did not end, as far as is known."""

    run_id: str
    what: What
    began: int
    since: int
    until: int
    others: dict[str, int]  #: run → when it began


def begin(session: Session, what: What, margin_ms: int) -> Run:
    """Note that a run begins, and where."""
    ((now,),) = session.run(_NOW)
    ((mark,),) = session.run(_MARK, {"what": what})
    if mark > now:
        # The clock was set back: what was loaded since is dated before the mark. So everything is reconciled again.
        session.run(_FORGET, {"what": what, "now": now})
        mark = 0
    unfinished = session.run(_UNFINISHED, {"what": what})
    ((late,),) = session.run(_LATE, {"mark": mark})
    since = min([mark, *(began for _, began, _ in unfinished), *([] if late is None else [late])])
    others = {run: started for run, _, started in unfinished}
    run = Run(str(uuid4()), what, now, since, max(now - margin_ms, 0), others)
    times = {"now": run.began, "since": run.since, "until": run.until}
    session.run(_BEGIN, {"run": run.run_id, "what": what, **times})
    return run


def finish(session: Session, run: Run) -> None:
    """Advance the mark. Runs that died long before this one began have nothing to do any more."""
    session.run(_FINISH, {"run": run.run_id, "what": run.what})
    for other, began in run.others.items():
        if run.began - began > ABANDONED_SECONDS * 1000:
            session.run("DELETE FROM raw_reconciliations WHERE run_id = %(run)s", {"run": other})
