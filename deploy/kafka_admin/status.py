"""Status of a running deployment: lag of each consumer group, row counts, profiles, open signals."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from clickhouse_driver import Client

from deploy.kafka_admin.lag import Backlog, Backlogs, OffsetReader
from schemas.errors import TouchlineError, UnavailableError
from schemas.settings import ClickHouse, Settings
from schemas.topics import LOADER_GROUP, TOUCHPOINTS
from sinks.clickhouse.connection import connect, translated

_UNMIGRATED: Final = "the tables are not there yet: create them with `touchline migrate`"
_ROWS: Final = (
    "SELECT name, total_rows FROM system.tables WHERE database = %(database)s AND total_rows IS NOT NULL"
)

_COUNTED: Final = {
    "profiles": "journeys",
    "open_signals": "signals_open",
    "merges": "profile_changes FINAL WHERE kind = 'MERGED'",
    "dead_letters": "dead_letters FINAL",
}


@dataclass(frozen=True)
class Status:
    """One status reading. A figure that could not be read is None, and a problem says why."""

    at: float  #: seconds on a monotonic clock, for the rates between two readings
    backlogs: Backlogs | None = None
    broker_problem: str | None = None
    missing_topics: tuple[str, ...] = ()  #: with the deployment's prefix
    rows: dict[str, int] = field(default_factory=dict)  #: table → rows stored, superseded versions included
    profiles: int | None = None
    open_signals: int | None = None
    merges: int | None = None
    dead_letters: int | None = None
    clickhouse_problem: str | None = None

    @property
    def problems(self) -> list[str]:
        """The problems, a sentence each."""
        return [
            problem
            for problem in (self.broker_problem, self._topic_problem(), self.clickhouse_problem)
            if problem
        ]

    @property
    def idle(self) -> bool:
        """Whether every group has read everything there is. False when the broker could not be asked."""
        return self.backlogs is not None and all(
            backlog.idle for backlogs in self.backlogs.values() for backlog in backlogs
        )

    def lag(self, group: str) -> int | None:
        """Records that a group has still to read."""
        if self.backlogs is None:
            return None
        return sum(backlog.lag for backlog in self.backlogs.get(group, []))

    def published(self) -> int | None:
        """Touchpoints ever written to their topic."""
        backlog = self._touchpoints()
        return None if backlog is None else backlog.end

    def processed(self) -> int | None:
        """Touchpoints that the workers are done with."""
        backlog = self._touchpoints()
        return None if backlog is None else backlog.done

    def loaded(self) -> int | None:
        """Records that the loader is done with."""
        if self.backlogs is None:
            return None
        return sum(backlog.done for backlog in self.backlogs.get(LOADER_GROUP, []))

    def to_dict(self) -> dict[str, Any]:
        """The form of `touchline status --json`."""
        return {
            "published": self.published(),
            "processed": self.processed(),
            "loaded": self.loaded(),
            "lag": {
                group: {backlog.topic: backlog.lag for backlog in backlogs}
                for group, backlogs in (self.backlogs or {}).items()
            },
            "rows": self.rows,
            "profiles": self.profiles,
            "open_signals": self.open_signals,
            "merges": self.merges,
            "dead_letters": self.dead_letters,
            "problems": self.problems,
        }

    def _topic_problem(self) -> str | None:
        if not self.missing_topics:
            return None
        first, more = self.missing_topics[0], len(self.missing_topics) - 1
        return f"Kafka has no topic {first}{f' and {more} more' if more else ''}: run `touchline topics`"

    def _touchpoints(self) -> Backlog | None:
        every = [backlog for backlogs in (self.backlogs or {}).values() for backlog in backlogs]
        return next((backlog for backlog in every if backlog.topic == TOUCHPOINTS.name), None)


class Observer:
    """Reads the status repeatedly over one connection to the broker, and reconnects when that breaks."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reader: OffsetReader | None = None

    def __enter__(self) -> "Observer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def look(self) -> Status:
        """The present status; never raises for a part that is down."""
        seen: dict[str, Any] = {}
        try:
            seen["backlogs"] = self.backlogs()
            seen["missing_topics"] = self._reader.missing if self._reader is not None else ()
        except TouchlineError as error:
            seen["broker_problem"] = str(error)
        try:
            seen |= read_tables(self.settings.clickhouse())
        except TouchlineError as error:
            seen["clickhouse_problem"] = str(error)
        return Status(at=time.monotonic(), **seen)

    def backlogs(self) -> Backlogs:
        """How far each group is behind. Raises UnavailableError."""
        if self._reader is None:
            self._reader = OffsetReader(self.settings)
        try:
            return self._reader.backlogs()
        except UnavailableError:
            self.close()
            raise


def snapshot(settings: Settings) -> Status:
    """One status reading; never raises for a part that is down."""
    with Observer(settings) as observer:
        return observer.look()


def read_tables(server: ClickHouse) -> dict[str, Any]:
    """The part of a Status that ClickHouse knows. Raises TouchlineError when it cannot say."""
    client = connect(server, use=False)
    try:
        with translated(server):
            rows = dict(client.execute(_ROWS, {"database": server.database}))
            if "dead_letters" not in rows:
                raise UnavailableError(f"ClickHouse database {server.database}: {_UNMIGRATED}")
            counts = {name: _count(client, server, source) for name, source in _COUNTED.items()}
    finally:
        client.disconnect()
    return {"rows": dict(sorted(rows.items())), **counts}


def _count(client: Client, server: ClickHouse, source: str) -> int:
    # `source` is one of _COUNTED and the database name was checked by ClickHouse.from_url
    return int(client.execute(f"SELECT count() FROM {server.database}.{source}")[0][0])  # noqa: S608
