"""The versions that a member of a group has been told or has read, and how far: in a file, or in bounded memory."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from deploy.sdk.errors import StoreFullError
from deploy.sdk.subscribe.kinds import GONE
from schemas.errors import SettingsError
from sinks.subscribers.table.database import connected, emptied_log, locked

FORMAT: Final = 1
_PAGE_BYTES: Final = 4096
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (partition INTEGER PRIMARY KEY, read INTEGER NOT NULL, done INTEGER, fresh_at REAL);
CREATE TABLE IF NOT EXISTS known (key BLOB PRIMARY KEY, partition INTEGER NOT NULL, version INTEGER NOT NULL,
    mark INTEGER NOT NULL, turn INTEGER NOT NULL, at INTEGER NOT NULL, sweep INTEGER NOT NULL) WITHOUT ROWID;
"""


class Known(NamedTuple):
    """What is known of a key: its highest version, what that said, and its how-many-th change that was."""

    version: int
    mark: int
    turn: int


class Place(NamedTuple):
    """How far a partition was read, and told: offsets of the next record. `fresh_at`: it had all then, UTC seconds."""

    read: int
    done: int | None
    fresh_at: float | None


class Versions:
    """The versions of one topic for one group member. Raises StoreFullError when disk or memory takes no more."""

    def __init__(self, connection: sqlite3.Connection, lock: int | None, full: str) -> None:
        self._connection = connection
        self._lock = lock
        self._full = full
        for statement in _TABLES.split(";"):
            connection.execute(statement)

    @classmethod
    def in_memory(cls, bytes_: int) -> "Versions":
        """Versions that end with the process, in at most `bytes_`."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA max_page_count = {max(bytes_ // _PAGE_BYTES, 32)}")
        return cls(
            connection,
            None,
            f"the versions of all keys need more than {bytes_:,} bytes of memory: give store=, a folder",
        )

    @classmethod
    def on_disk(cls, folder: str | os.PathLike[str], group: str, topic: str, epoch: int) -> "Versions":
        """The versions in a folder of this member alone. Those of an older epoch stay; their offsets do not.

        Raises UnavailableError if another process has it, SettingsError if it is another group's or topic's.
        """
        path = Path(folder) / f"{topic}.versions"
        lock = locked(path)
        with ExitStack() as stack:  # what an error leaves open
            stack.callback(os.close, lock)
            connection = stack.enter_context(closing(connected(path)))
            found = cls(connection, lock, f"the disk of {path} takes no more: make room")
            found._claim(path, {"format": str(FORMAT), "group": group, "topic": topic}, epoch)
            stack.pop_all()
        return found

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is noted within it is stored at once, or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back()
            if "full" in str(error):
                raise StoreFullError(self._full) from error
            raise
        except BaseException:
            self._roll_back()
            raise

    def known(self, key: bytes) -> Known | None:
        """What is known of a key."""
        row = self._connection.execute(
            "SELECT version, mark, turn FROM known WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Known(*row)

    def note(self, key: bytes, partition: int, known: Known, at: int, sweep: int) -> None:
        """Remember what was read of a key; `at`: when it was published, UTC ms."""
        self._connection.execute(
            "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?, ?, ?, ?)", (key, partition, *known, at, sweep)
        )

    def see(self, key: bytes, sweep: int) -> None:
        """Remember that a sweep has met a key."""
        self._connection.execute("UPDATE known SET sweep = ? WHERE key = ?", (sweep, key))

    def unseen(self, partition: int, sweep: int) -> list[tuple[bytes, Known]]:
        """The keys that hold and that a sweep has not met: Kafka has removed them, and their tombstones."""
        rows = self._connection.execute(
            "SELECT key, version, mark, turn FROM known WHERE partition = ? AND mark <> ? AND sweep <> ? ORDER BY key",
            (partition, GONE, sweep),
        ).fetchall()
        return [(key, Known(*known)) for key, *known in rows]

    def place(self, partition: int) -> Place | None:
        """How far a partition was read; None if never."""
        row = self._connection.execute(
            "SELECT read, done, fresh_at FROM places WHERE partition = ?", (partition,)
        ).fetchone()
        return None if row is None else Place(*row)

    def put_place(self, partition: int, place: Place) -> None:
        """Remember how far a partition was read."""
        self._connection.execute("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", (partition, *place))

    def forget(self, before: int, *, all_: bool) -> int:
        """Remove what was published before `before` (UTC ms): of keys that are gone, or of all. Returns how many.

        It leaves the file, too.
        """
        which = "" if all_ else f" AND mark = {GONE}"
        with self.transaction():
            gone = self._connection.execute(f"DELETE FROM known WHERE at < ?{which}", (before,)).rowcount  # noqa: S608
        if self._lock is not None:
            emptied_log(self._connection)
        return gone

    def _claim(self, path: Path, wanted: dict[str, str], epoch: int) -> None:
        found = dict(self._connection.execute("SELECT name, value FROM about").fetchall())
        held = {name: found[name] for name in wanted if name in found}
        if held and held != wanted:
            raise SettingsError(
                f"{path} belongs to group {found.get('group')!r}: give each group a folder of its own"
            )
        with self.transaction():
            if found.get("epoch", str(epoch)) != str(epoch):  # topics were made anew: offsets mean nothing
                self._connection.execute("DELETE FROM places")
            items = {**wanted, "epoch": str(epoch)}.items()
            self._connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", list(items))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
