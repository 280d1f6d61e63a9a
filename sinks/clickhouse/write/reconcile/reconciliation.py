"""What a loader reconciles: owners and copies, and then the rows of profiles, each from where it last was."""

from collections.abc import Iterable
from threading import Event
from typing import Final

from schemas.settings import ClickHouse
from sinks.clickhouse.write.reconcile import journal
from sinks.clickhouse.write.reconcile.copies import decide_since
from sinks.clickhouse.write.reconcile.journal import MARGIN_MS, What
from sinks.clickhouse.write.reconcile.owners import Identifier, rewrite_named, rewrite_since
from sinks.clickhouse.write.reconcile.profiles import compute_since
from sinks.clickhouse.write.reconcile.session import DEFAULT_LIMITS, Limits, Session

#: In this order: owners decide what belongs to a profile.
BOTH: Final[tuple[What, ...]] = ("owners", "profiles")


class Reconciliation:
    """Reconciles over one connection; for one thread at a time.

    Errors of every method: UnavailableError or SinkError (run again), SettingsError (stop).
    """

    def __init__(
        self,
        where: ClickHouse,
        stopping: Event | None = None,
        *,
        margin_ms: int = MARGIN_MS,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._session = Session(where, stopping, limits)
        self._margin_ms = margin_ms

    def run(self, what: What) -> int:
        """Reconcile what was loaded since the last run. Returns up to when: UTC milliseconds of the server."""
        with self._session.opened():
            run = journal.begin(self._session, what, self._margin_ms)
            if what == "owners":
                rewrite_since(self._session, run.since, noting=bool(run.others))
                decide_since(self._session, run.since)
            else:
                compute_since(self._session, run.since, noted=run.noted)
            journal.finish(self._session, run)
            return run.until

    def run_all(self) -> None:
        """Reconcile owners, and then profiles."""
        for what in BOTH:
            self.run(what)

    def rewrite(self, identifiers: Iterable[Identifier]) -> None:
        """Bring the rows of these identifiers up to date at once."""
        with self._session.opened():
            rewrite_named(self._session, identifiers)

    def note_slow(self, seconds: float) -> None:
        """Make the next run look at everything that was loaded in the last `seconds`: an insert took as long."""
        with self._session.opened():
            self._session.note(seconds)

    def close(self) -> None:
        """Close the connection, if there is one. Another thread may call it to end a statement that runs."""
        self._session.close()
