"""A connection for reconciliation, with temporary tables of its own, and notes of what took long to show."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any, Final, NamedTuple

from clickhouse_driver import Client

from schemas.errors import SettingsError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.write.native_writer import SETTINGS

#: A statement of a reconciliation ends after so many seconds. `journal.ABANDONED_SECONDS` is longer.
STATEMENT_SECONDS: Final = 300
#: An insert that takes longer may show rows whose `loaded_at` a reconciliation has already passed: it is noted.
SLOW_SECONDS: Final = 1.5

_SETTINGS: Final = {
    **SETTINGS,
    # A row that is written again equals an earlier one after a merge, a split and a second merge.
    "insert_deduplicate": 0,
    "do_not_merge_across_partitions_select_final": 1,
    "max_execution_time": STATEMENT_SECONDS,
}


class Limits(NamedTuple):
    """What a statement may take. The default is for work beside loading and analysts."""

    threads: int = 1
    memory: int = 2 * 1024**3  #: bytes
    at_once: int = 500_000  #: rows of a window that one pass looks at: they bound its memory

    def settings(self) -> dict[str, int]:
        """As settings of ClickHouse."""
        return {
            "max_threads": self.threads,
            "max_insert_threads": self.threads,
            "max_memory_usage": self.memory,
            "max_bytes_before_external_group_by": self.memory // 4,
        }


DEFAULT_LIMITS: Final = Limits()
_SETS: Final = {
    "changed": "tenant String, identifier_type String, identifier_value String",
    "outdated": "tenant String, identifier_type String, identifier_value String",
    "touched": "tenant String, identifier_type String, identifier_value String",
    "held": "tenant String, identifier_type String, identifier_value String",
    "copied": "event UInt64",
    "chosen": "tenant String, profile_id UUID",
}
_NOTE: Final = """
    INSERT INTO raw_reconciliation_notes (loaded_since)
    SELECT now64(3) - toIntervalMillisecond(%(milliseconds)s)
"""


class StoppedError(UnavailableError):
    """A reconciliation was asked to stop. Response: run it again some time."""


class Session:
    """Runs statements one after the other; for one thread at a time. Opens its connection when it needs one.

    Errors of every method: UnavailableError or SinkError (run again), SettingsError (stop).
    """

    def __init__(
        self, where: ClickHouse, stopping: Event | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.limits = limits
        self._where = where
        self._stopping = Event() if stopping is None else stopping
        self._client: Client | None = None
        self._socket: Any = None  #: of the connection that has the temporary tables

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep one connection, and empty temporary tables; any error closes it."""
        try:
            if self._client is None:
                self._client = connect(self._where, {**_SETTINGS, **self.limits.settings()})
                self._socket = self._client.connection.socket
                for name, columns in _SETS.items():
                    self.run(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns}) ENGINE = Memory")
            yield
        except BaseException:
            self.close()
            raise

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises StoppedError once stopping."""
        if self._stopping.is_set():
            raise StoppedError("a reconciliation was stopped; the next one repeats it")
        return list(self._execute(sql, dict(values or {})) or ())

    def fill(self, name: str, select: str, values: Mapping[str, Any] | None = None) -> int:
        """Replace the rows of a temporary table by those of a SELECT. Returns how many there are."""
        self.run(f"TRUNCATE TABLE {name}")
        self.run(f"INSERT INTO {name} {select}", values)
        ((rows,),) = self.run(f"SELECT count() FROM {name}")  # noqa: S608 (names of our own)
        return int(rows)

    def fill_with(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Replace the rows of a temporary table by these."""
        self.run(f"TRUNCATE TABLE {name}")
        self._execute(f"INSERT INTO {name} VALUES", list(rows))

    def _execute(self, sql: str, values: Any) -> Any:
        """Run a statement. The driver connects anew by itself, and what is new has no temporary tables."""
        client = self._client
        assert client is not None
        try:
            with translated(self._where):
                return client.execute(sql, values)
        except SettingsError as error:
            if client.connection.socket is self._socket:
                raise
            raise UnavailableError(
                "the connection to ClickHouse was lost during a reconciliation; the next one repeats it"
            ) from error

    def write(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Run an INSERT into a table. Its rows are dated when it begins and show when it ends: a slow one is noted."""
        noting_slow(lambda: self.run(sql, values), lambda seconds: self.note(seconds))

    def note(self, seconds: float) -> None:
        """Make the next reconciliation look at everything that was loaded in the last `seconds`, and later."""
        self.run(_NOTE, {"milliseconds": int(seconds * 1000) + 1000})

    def close(self) -> None:
        """Close the connection, if there is one. Another thread may call it to end a statement that runs."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()


def noting_slow(insert: Callable[[], object], note: Callable[[float], object]) -> None:
    """Insert. Note an insert that took longer than SLOW_SECONDS, and a note that took as long."""
    began = time.monotonic()
    insert()
    took = time.monotonic() - began
    while took > SLOW_SECONDS:
        noting = time.monotonic()
        note(time.monotonic() - began)
        took = time.monotonic() - noting
