"""The table's file: an SQLite database of this deployment, for one process at a time."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.errors import SettingsError, UnavailableError

FORMAT: Final = 1  #: of the tables below; a file of another format is built anew
_APPLICATION: Final = 0x54_4C_73_74  #: "TLst": tells such a file from any other SQLite database
_CACHE_KIB: Final = 16 * 1024  #: of pages, for the connections that write and that look up
_SCAN_KIB: Final = 1024  #: of pages, for the one that reads on in the order of offsets
_BUSY_MS: Final = 5000

_TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition))
    WITHOUT ROWID;
CREATE TABLE states (key BLOB PRIMARY KEY, version INTEGER NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL, timestamp INTEGER NOT NULL, value BLOB);
CREATE TABLE accounts (key BLOB PRIMARY KEY, version INTEGER NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL, timestamp INTEGER NOT NULL, value BLOB);
CREATE TABLE assignments (key BLOB PRIMARY KEY, version INTEGER NOT NULL, partition INTEGER NOT NULL,
    offset INTEGER NOT NULL, timestamp INTEGER NOT NULL, value BLOB, own BLOB, contested BLOB);
CREATE INDEX states_by_place ON states (partition, offset);
CREATE INDEX states_gone ON states (timestamp) WHERE value IS NULL;
CREATE INDEX accounts_gone ON accounts (timestamp) WHERE value IS NULL;
CREATE INDEX assignments_gone ON assignments (timestamp) WHERE value IS NULL;
CREATE INDEX assignments_by_own ON assignments (own) WHERE own IS NOT NULL;
CREATE INDEX assignments_by_contested ON assignments (contested) WHERE contested IS NOT NULL;
"""


COLUMNS: Final = "key, version, partition, offset, timestamp, value"
_NEWER: Final = "(excluded.version, excluded.offset) > (version, offset)"


def _upsert(kind: str, columns: str) -> str:
    names = columns.split(", ")
    values = ", ".join("?" for _ in names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    insert = f"INSERT INTO {kind} ({columns}) VALUES ({values})"  # noqa: S608 (names of this module)
    return f"{insert} ON CONFLICT (key) DO UPDATE SET {changes} WHERE {_NEWER}"


#: Kind of rows → the statement that puts one there unless a newer one is.
UPSERTS: Final = {
    "states": _upsert("states", COLUMNS),
    "accounts": _upsert("accounts", COLUMNS),
    "assignments": _upsert("assignments", f"{COLUMNS}, own, contested"),
}


@dataclass(frozen=True)
class Deployment:
    """What a table is about. A file that was made for another one is built anew from Kafka."""

    topic_prefix: str = ""
    epoch: int = 0

    def described(self) -> Mapping[str, str]:
        """What the file says about itself."""
        return {"format": str(FORMAT), "topic_prefix": self.topic_prefix, "epoch": str(self.epoch)}


class Database:
    """The file, its lock, a connection that writes and two that read: what they read is always whole transactions.

    `reader` answers questions about keys; `scanner` reads many rows, and so keeps nobody else waiting.
    """

    def __init__(self, path: Path, deployment: Deployment) -> None:
        """Open the file, or make it. `rebuilt` says in a sentence why one that was there was made anew, else is empty.

        Raises UnavailableError if another process has it, or it cannot be written; SettingsError if it is no such file.
        """
        self.path = path
        self.rebuilt = ""
        self._lock = locked(path)
        try:
            self.writer = connected(path)
            self._prepare(deployment)
            self.reader = connected(path)
            self.scanner = connected(path, _SCAN_KIB)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Give the file back."""
        self.scanner.close()
        self.reader.close()
        self.writer.close()
        os.close(self._lock)

    def _prepare(self, deployment: Deployment) -> None:
        wanted = deployment.described()
        try:
            application = self.writer.execute("PRAGMA application_id").fetchone()[0]
            tables = self.writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise SettingsError(
                f"{self.path} is no table of Touchline's ({error}): name another file, or delete it"
            ) from error
        if tables and application != _APPLICATION:
            raise SettingsError(f"{self.path} is another program's database: name another file")
        found = dict(self.writer.execute("SELECT name, value FROM about").fetchall()) if tables else None
        if found is not None and {name: found.get(name) for name in wanted} == wanted:
            return
        if found is not None:
            other = ", ".join(
                f"{name} {found.get(name)!r}" for name in wanted if found.get(name) != wanted[name]
            )
            self.rebuilt = (
                f"{self.path} was made for another deployment ({other}): it is built anew from Kafka"
            )
        self._make(wanted)

    def _make(self, wanted: Mapping[str, str]) -> None:
        writer = self.writer
        writer.execute("BEGIN IMMEDIATE")
        for (name,) in writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            writer.execute(f"DROP TABLE {name}")
        for statement in _TABLES.split(";"):
            writer.execute(statement)
        writer.execute(f"PRAGMA application_id = {_APPLICATION}")
        writer.executemany("INSERT INTO about VALUES (?, ?)", wanted.items())
        writer.execute("COMMIT")


def locked(path: Path) -> int:
    """Hold the file's lock, which ends with this process however that ends. Raises UnavailableError.

    Returns a descriptor; the lock ends when it is closed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UnavailableError(f"{path} is in use by another process: name another file") from error
    return descriptor


def connected(path: Path, cache_kib: int = _CACHE_KIB) -> sqlite3.Connection:
    """A connection whose transactions survive `kill -9` and whose deleted rows leave the file. Raises SettingsError."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        # a power cut may undo the last transactions, never half of one: their offsets are undone with them
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased does not stay in free pages
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    except sqlite3.DatabaseError as error:
        raise SettingsError(
            f"{path} cannot be used as a table ({error}): name another file, or delete it"
        ) from error
    return connection
