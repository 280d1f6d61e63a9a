"""The present state of each person and account, the owner of each identifier, and how far Kafka was read."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import ACCOUNT_STATE, IDENTITY_ASSIGNMENT, JOURNEY_STATE
from schemas.keys import account_key, identifier_key, profile_key
from schemas.profile_ids import contested_profile, own_profile
from schemas.records import AccountState, Identifier, IdentityAssignment, JourneyState
from schemas.version_bounds import VersionBounds
from sinks.subscribers.table.batch import Batch
from sinks.subscribers.table.database import COLUMNS, UPSERTS, Database, Deployment, emptied_log
from sinks.subscribers.table.entries import FOLLOWED, Entry

#: Who follows the topics calls `scrub` so often: for so long what was erased may still be in the files.
SCRUB_SECONDS: Final = 30.0
#: Topic and partition → the offset of the next record to read. The topic's name is without the deployment's prefix.
Positions = Mapping[tuple[str, int], int]

# Statements are made of names in these modules, and values are always parameters.
# ruff: noqa: S608
_PUT_POSITION: Final = """
    INSERT INTO positions VALUES (?, ?, ?)
    ON CONFLICT (topic, partition) DO UPDATE SET next = max(next, excluded.next)"""
_PUT_READ_AT: Final = (
    "INSERT INTO about VALUES ('read_at', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch changed: the entries that count now, in the order of the batch, and how many could not be read."""

    entries: list[Entry]
    rejected: int


@dataclass(frozen=True, slots=True)
class Row:
    """A record that the table holds: its key, rank, and the Avro single object."""

    key: bytes
    version: int
    offset: int
    value: bytes

    @property
    def name(self) -> str:
        """What the key names within its tenant."""
        return self.key.partition(b"/")[2].decode()


class StateTable:
    """One process, any number of threads. Every method may raise sqlite3.Error if the disk fails: stop then.

    The table is a function of the set of records that were applied: their order and repetition change nothing. The
    offsets are stored in the transaction of the rows, so after any crash `positions` says exactly what is in.
    """

    def __init__(self, database: Database, prefix: str) -> None:
        self._database = database
        self._topics = {prefix + topic.name: topic for topic in FOLLOWED}
        self._writing = threading.Lock()
        self._unscrubbed = (
            True  #: the log beside the file may hold rows that are deleted: after `kill -9`, too
        )

    @classmethod
    def open(cls, path: Path, deployment: Deployment) -> "StateTable":
        """Open the table in a file, or make it.

        Raises UnavailableError if another process has it, SettingsError if the file is something else. A file of
        another deployment or format is emptied; `rebuilt` says so.
        """
        return cls(Database(path, deployment), deployment.topic_prefix)

    @property
    def path(self) -> Path:
        """Its file."""
        return self._database.path

    @property
    def rebuilt(self) -> str:
        """Why the file that was there was emptied when it was opened, in a sentence; empty if it was not."""
        return self._database.rebuilt

    def close(self) -> None:
        """Give the file back, once a batch that is being applied is in."""
        with self._writing:
            self._database.close()

    def apply(self, records: Iterable[KafkaRecord], bounds: VersionBounds | None = None) -> Applied:
        """Take records of the followed topics and their offsets, all in one transaction.

        Records of one partition come in any order and any number of times; the stored position is after the highest.
        A record that cannot be read changes nothing but the position. So does one whose version is beyond `bounds`.
        """
        batch = self.batch(bounds)
        for record in records:
            batch.take(record)
        return self.write(batch)

    def batch(self, bounds: VersionBounds | None = None) -> Batch:
        """An empty batch of records for this table."""
        return Batch(self._topics, bounds)

    def write(self, batch: Batch) -> Applied:
        """Put a batch and its offsets into the table, in one transaction."""
        with self._transaction() as writer:
            applied = [entry for entry in batch.entries if _put(writer, entry)]
            for (name, partition), end in batch.ends.items():
                writer.execute(_PUT_POSITION, (name, partition, end))
        return Applied(applied, batch.rejected)

    def positions(self) -> dict[tuple[str, int], int]:
        """How far each topic was read."""
        rows = self._database.reader.execute("SELECT topic, partition, next FROM positions").fetchall()
        return {(name, partition): after for name, partition, after in rows}

    def note_caught_up(self, at: float) -> None:
        """Note that the table has all that the topics had at `at`, in UTC seconds."""
        with self._transaction() as writer:
            writer.execute(_PUT_READ_AT, (repr(at),))

    def caught_up_at(self) -> float | None:
        """When the table was last known to have all that the topics had, in UTC seconds; None if never."""
        rows = self._database.reader.execute("SELECT value FROM about WHERE name = 'read_at'").fetchall()
        return float(rows[0][0]) if rows else None

    def clear(self) -> None:
        """Forget everything, to read the topics from their beginning."""
        with self._transaction() as writer:
            for name in (*UPSERTS, "positions"):
                writer.execute(f"DELETE FROM {name}")
            writer.execute("DELETE FROM about WHERE name = 'read_at'")

    def forget(self, before: int) -> int:
        """Remove what is left of rows whose tombstones Kafka has stamped before `before` (UTC ms); returns how many.

        Until then such a row keeps a lower version that is read again from coming back.
        """
        with self._transaction() as writer:
            deletions = [f"DELETE FROM {kind} WHERE value IS NULL AND timestamp < ?" for kind in UPSERTS]
            return sum(writer.execute(deletion, (before,)).rowcount for deletion in deletions)

    def scrub(self) -> None:
        """Leave in the files nothing of what was deleted or superseded so far. It waits for the disk.

        SQLite overwrites such rows in its pages (`secure_delete`), but the log of transactions beside the file keeps
        the pages as they were before, until it is emptied.
        """
        with self._writing:
            if self._unscrubbed:
                self._unscrubbed = not emptied_log(self._database.writer)

    # -- questions ---------------------------------------------------------------------------------------------------

    def state(self, tenant: str, profile_id: str) -> JourneyState | None:
        """The present state under exactly this profile id."""
        found = self.row("states", profile_key(tenant, profile_id))
        return None if found is None else JOURNEY_STATE.decode_trusted(found.value)

    def account(self, tenant: str, account_id: str) -> AccountState | None:
        """The present state of an account."""
        found = self.row("accounts", account_key(tenant, account_id))
        return None if found is None else ACCOUNT_STATE.decode_trusted(found.value)

    def assignment(self, tenant: str, type_: str, value: str) -> IdentityAssignment | None:
        """The assignment of an identifier as it is stored: normalised, and pseudonymised if the policy says so."""
        found = self.row("assignments", identifier_key(tenant, {"type": type_, "value": value}))
        return None if found is None else IDENTITY_ASSIGNMENT.decode_trusted(found.value)

    def profile_of(self, tenant: str, type_: str, value: str) -> str:
        """The profile that owns what an identifier (in stored form) does now.

        Without an assignment that is the identifier's own profile; of a shared one it is the profile of what came
        since it is shared.
        """
        identifier = Identifier(type=type_, value=value)
        return present_owner(tenant, identifier, self.assignment(tenant, type_, value))

    def survivor(self, tenant: str, profile_id: str) -> str:
        """The profile that a profile id stands for now: after merges the survivor, else itself.

        A profile's id is made of one of its identifiers (schemas/profile_ids.py). That identifier's assignment says
        where it belongs now, after any number of merges and splits and whatever was read of them.
        """
        try:
            name = UUID(profile_id).bytes
        except ValueError:
            return profile_id
        for column in ("own", "contested"):
            rows = self._database.reader.execute(
                f"SELECT value FROM assignments WHERE {column} = ?",
                (name,),
            ).fetchall()
            for (value,) in rows:
                found = IDENTITY_ASSIGNMENT.decode_trusted(value)
                if found["tenant"] == tenant:
                    shared = found["contested_profile_id"] == profile_id
                    return profile_id if shared else found["profile_id"]
        return profile_id

    def person(self, tenant: str, profile_id: str) -> Row | None:
        """The state of the survivor of a profile; while that has none yet, the profile's own.

        Identity tells of a merge a moment before the journeys have moved.
        """
        present = self.survivor(tenant, profile_id)
        found = self.row("states", profile_key(tenant, present))
        if found is None and present != profile_id:
            return self.row("states", profile_key(tenant, profile_id))
        return found

    def row(self, kind: str, key: bytes) -> Row | None:
        """What is held under a key; None if nothing is, or a tombstone."""
        rows = self._database.reader.execute(
            f"SELECT version, offset, value FROM {kind} WHERE key = ? AND value IS NOT NULL", (key,)
        ).fetchall()
        return Row(key, *rows[0]) if rows else None

    def states_from(self, partition: int, start: int, end: int, limit: int) -> list[Entry]:
        """Present states and tombstones whose records have offsets in [start, end), by offset, at most `limit`.

        It has a connection of its own: questions of others do not wait for it.
        """
        rows = self._database.scanner.execute(
            f"SELECT {COLUMNS} FROM states WHERE partition = ? AND offset >= ? AND offset < ?"
            " ORDER BY offset LIMIT ?",
            (partition, start, end, limit),
        ).fetchall()
        return [_entry("states", *row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many rows there are of each kind, without tombstones. It reads the whole table."""
        reader = self._database.reader
        return {kind: reader.execute(f"SELECT count(value) FROM {kind}").fetchone()[0] for kind in UPSERTS}

    def entries(self, kind: str) -> Iterator[Entry]:
        """All rows of a kind, tombstones among them."""
        rows = self._database.reader.execute(f"SELECT {COLUMNS} FROM {kind} ORDER BY key")
        return (_entry(kind, *row) for row in rows)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        writer = self._database.writer
        with self._writing:
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
                self._unscrubbed = True
            except BaseException:
                if writer.in_transaction:  # a full disk may have ended it already
                    writer.execute("ROLLBACK")
                raise


def present_owner(tenant: str, identifier: Identifier, assignment: IdentityAssignment | None) -> str:
    """The profile that owns what an identifier does now, by its assignment, if it has one."""
    if assignment is None:
        return own_profile(tenant, (identifier["type"], identifier["value"]))
    return assignment["contested_profile_id"] or assignment["profile_id"]


def _put(writer: sqlite3.Connection, entry: Entry) -> bool:
    """Write an entry unless a newer one is there; returns whether it counts now."""
    values: tuple[Any, ...] = (
        entry.key, entry.version, entry.partition, entry.offset, entry.timestamp, entry.value,
    )  # fmt: skip
    if entry.kind == "assignments":
        values = *values, *_names(entry)
    return writer.execute(UPSERTS[entry.kind], values).rowcount > 0


def _names(entry: Entry) -> tuple[bytes | None, bytes | None]:
    """The profile ids that an identifier gives its name to."""
    if entry.body is None:
        return None, None
    node = entry.body["identifier"]["type"], entry.body["identifier"]["value"]
    tenant = entry.body["tenant"]
    return UUID(own_profile(tenant, node)).bytes, UUID(contested_profile(tenant, node)).bytes


def _entry(
    kind: str, key: bytes, version: int, partition: int, offset: int, timestamp: int, value: bytes | None
) -> Entry:
    types: Mapping[str, Any] = {
        "states": JOURNEY_STATE, "accounts": ACCOUNT_STATE, "assignments": IDENTITY_ASSIGNMENT,
    }  # fmt: skip
    body = None if value is None else types[kind].decode_trusted(value)
    return Entry(kind, key, version, partition, offset, timestamp, value, body)
