"""Erasure in ClickHouse: views hide the data at once; once every process has answered, the loader deletes it.

The loader first stores an Erase: in `raw_erasures`, and as a receipt that is not done. It marks the rows of the
identifier as erased (sinks/clickhouse/write/reconcile/owners.py), which hides them. Then the Erase's Kafka offset may
be committed. The receipt waits until workers and loaders have done what lay before them (barrier.py), and says what it
waits for. Then the loader counts the rows, deletes every version of them (rows.py), and the receipt is done. A minute
later it looks for rows that were in flight, and whether the files of deleted rows are gone from the disk. Kafka may
deliver old records again. The loader then leaves out the rows of an erased identifier, and removes the identifier from
the rows of others, before it writes them.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_driver import Client

from schemas.encoding.codec import identifiers_of
from schemas.errors import ContractError, SinkError
from schemas.records import Erase, Identifier
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.erasure import rows
from sinks.clickhouse.values import Row, moment

_SETTINGS: Final = {
    "async_insert": 0,
    # a replica that carries a mutation out looks the identifier up by itself
    "allow_nondeterministic_mutations": 1,
    # profiles and signals are named one by one
    "max_query_size": 1 << 26,
}
#: Between two looks whether a mutation is done. The server says nothing while one waits for a mutation, and a
#: connection that is silent for long counts as broken.
_MUTATION_SECONDS: Final = 0.1
#: Deletions of one attempt: rows that were in flight may show between the first and the last of its statements.
_ATTEMPTS: Final = 3
#: The version of a receipt that is done exceeds that of every note on what it waits for: a time in milliseconds.
_DONE: Final = 1 << 62

_RECALLED: Final = """
    SELECT r.tenant, r.identifier_type, r.identifier_value, toUnixTimestamp64Milli(r.erased_at), e.profile_id,
        r.profile_ids, e.version, r.request_id, r.done
    FROM erasure_receipts AS r FINAL
    JOIN (SELECT * FROM raw_erasures FINAL) AS e USING (tenant, identifier_type, identifier_value)
    WHERE r.done = 0 OR r.off_disk_at IS NULL
"""
_RECEIPTS: Final = """
    SELECT
        request_id, identifier_type, identifier_value, erased_at, deleted, done, recorded_at, waits_for, off_disk_at
    FROM erasure_receipts FINAL
"""
#: Erased identifiers all of whose requests are done.
_SETTLED: Final = """
    SELECT tenant, identifier_type, identifier_value FROM erasure_receipts FINAL
    GROUP BY tenant, identifier_type, identifier_value HAVING min(done) = 1
"""
_BEGUN: Final = """
    SELECT groupUniqArrayArray(profile_ids), groupUniqArrayArray(account_ids), maxMap(deleted),
        toUnixTimestamp64Milli(maxIf(recorded_at, done = 1 AND off_disk_at IS NULL))
    FROM erasure_receipts
    WHERE tenant = %(tenant)s AND request_id = %(request)s AND identifier_type = %(type)s
        AND identifier_value = %(value)s
"""
_ON_DISK: Final = """
    SELECT count() FROM system.parts
    WHERE database = currentDatabase() AND table IN %(tables)s AND NOT active
        AND toUnixTimestamp(remove_time) * 1000 <= %(deleted_at)s
"""
_MUTATIONS: Final = """
    SELECT count(), anyIf(latest_fail_reason, latest_fail_reason != '') FROM system.mutations
    WHERE database = currentDatabase() AND table = %(table)s AND NOT is_done
"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """One request for one identifier; times in UTC milliseconds."""

    tenant: str
    type: str
    value: str
    erased_at: int
    profile_id: str
    profile_ids: tuple[str, ...]
    version: int
    request_id: str

    @classmethod
    def of(cls, erase: Erase) -> "Erasure | None":
        """The erasure that an Erase asks for; None unless it is addressed to the first profile of the request."""
        assignment = erase["assignment"]
        correction = assignment["correction"]
        if erase["profile_id"] != erase["profile_ids"][0] or correction is None:
            return None
        erased_at = correction["erased_at"]
        return cls(
            assignment["tenant"], assignment["identifier"]["type"], assignment["identifier"]["value"],
            assignment["occurred_at"] if erased_at is None else erased_at, assignment["profile_id"],
            tuple(erase["profile_ids"]), assignment["version"], assignment["event_id"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of a request for one identifier."""

    request_id: str
    type: str
    value: str
    erased_at: datetime
    deleted: dict[str, int]  #: table → rows
    done: bool
    recorded_at: datetime
    waits_for: str  #: what it waits for, for people; empty once it is done
    off_disk_at: datetime | None  #: when the files of the deleted rows were gone; None before


@dataclass
class Erased:
    """The erased identifiers that this loader knows. It writes no touchpoint of them up to their erasure."""

    _known: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)  # → erased_at, version
    _settled: set[tuple[str, str, str]] = field(default_factory=set)  #: those with a receipt that is done

    def learn(self, tenant: str, kind: str, value: str, erased_at: int, version: int) -> None:
        """Note an erased identifier."""
        known = self._known.get((tenant, kind, value), (erased_at, version))
        self._known[tenant, kind, value] = max(known[0], erased_at), max(known[1], version)

    def settle(self, tenant: str, kind: str, value: str) -> None:
        """Note that the rows of an erased identifier are deleted."""
        self._settled.add((tenant, kind, value))

    def concerns(self, value: bytes) -> bool:
        """Whether a ResolvedTouchpoint names an erased identifier, or cannot be read."""
        if not self._known:
            return False
        try:
            tenant, identifiers = identifiers_of(value)
        except ContractError:
            return True
        return any((tenant, one["type"], one["value"]) in self._known for one in identifiers)

    def left(self, table: str, rows: list[Row]) -> list[Row]:
        """The rows that may be written: not those of erased identifiers; the others without erased identifiers."""
        if not self._known:
            return rows
        if table == "raw_touchpoints":
            return [
                self._cleaned(row) for row in rows if not self._gone(row, "identifier", row["occurred_at"])
            ]
        if table == "raw_identity_links":
            return [
                row
                for row in rows
                if not self._gone(row, "left", row["occurred_at"])
                and not self._gone(row, "right", row["occurred_at"])
            ]
        if table in ("raw_identity_assignments", "raw_identity_assignment_history"):
            return [row for row in rows if not self._outdated(row)]
        return rows

    def _gone(self, row: Row, end: str, occurred_at: int) -> bool:
        known = self._known.get((row["tenant"], row[f"{end}_type"], row[f"{end}_value"]))
        return known is not None and occurred_at <= known[0]

    def _outdated(self, row: Row) -> bool:
        """Whether an assignment is older than an erasure. A tombstone is needed until what it hides is gone."""
        name = row["tenant"], row["identifier_type"], row["identifier_value"]
        known = self._known.get(name)
        if known is None:
            return False
        if row["is_deleted"]:
            return name in self._settled and row["version"] <= known[1]
        return bool(row["version"] < known[1])

    def _cleaned(self, row: Row) -> Row:
        tenant, at = row["tenant"], row["occurred_at"]
        kept = [pair for pair in row["identifiers"] if at > self._known.get((tenant, *pair), (at - 1, 0))[0]]
        return row if len(kept) == len(row["identifiers"]) else {**row, "identifiers": kept}


class Eraser:
    """Carries out erasures, one at a time, in one thread at a time. Raises the errors of a Writer (inserts.py)."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self.erased = Erased()

    def recall(self) -> list[tuple[Erasure, bool]]:
        """Read the erasures stored by all loaders. Returns the unfinished ones, and whether their receipt is done."""
        with _connected(self._where) as client:
            known = client.execute(
                "SELECT tenant, identifier_type, identifier_value, toUnixTimestamp64Milli(erased_at), version"
                " FROM raw_erasures FINAL"
            )
            for row in known:
                self.erased.learn(*row)
            for name in client.execute(_SETTLED):
                self.erased.settle(*name)
            begun = client.execute(_RECALLED)
        return [
            (Erasure(tenant, kind, value, erased_at, profile, tuple(profiles), version, request), bool(done))
            for tenant, kind, value, erased_at, profile, profiles, version, request, done in begun
        ]

    def accept(self, erasures: Iterable[Erasure]) -> None:
        """Store erasures, which views respect from now on. A request that is done stays done."""
        found = list(erasures)
        if not found:
            return
        for one in found:
            self.erased.learn(one.tenant, one.type, one.value, moment(one.erased_at), one.version)
        with _connected(self._where) as client:
            client.execute(
                "INSERT INTO raw_erasures"
                " (tenant, identifier_type, identifier_value, erased_at, profile_id, version) VALUES",
                [
                    (one.tenant, one.type, one.value, moment(one.erased_at), one.profile_id, one.version)
                    for one in found
                ],
            )
            for one in found:
                _write_receipt(client, one, waits_for="the workers")

    def tell(self, erasure: Erasure, waits_for: str) -> None:
        """Note what an erasure waits for."""
        with _connected(self._where) as client:
            _write_receipt(client, erasure, waits_for=waits_for)

    def carry_out(self, erasure: Erasure) -> None:
        """Delete the rows of an erasure and mark its receipt as done.

        Whoever repeats it after a crash finds fewer rows: profiles, accounts and counts are stored before the first
        row is deleted, and the higher counts stand.
        """
        with _connected(self._where) as client:
            begun = _Begun.of(client, erasure)
            ((now,),) = client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
            target = _Target.of(client, erasure, begun, before=now)
            counts = target.counts(client)
            shown = {name: max(count, begun.counts.get(name, 0)) for name, count in counts.items()}
            _write_receipt(client, erasure, shown, target, waits_for="deletion in ClickHouse")
            target.delete(client, counts)
            _write_receipt(client, erasure, shown, target, done=True)
        self.erased.settle(erasure.tenant, erasure.type, erasure.value)

    def look_again(self, erasure: Erasure) -> bool:
        """Delete rows that were in flight at the first deletion. Returns whether nothing is left to do.

        That is so once the files of deleted rows are gone, which the receipt then says.
        """
        with _connected(self._where) as client:
            begun = _Begun.of(client, erasure)
            target = _Target.of(client, erasure, begun, before=begun.done_at)
            counts = target.counts(client)
            if any(counts.values()):
                target.delete(client, counts)
                shown = {name: count + begun.counts.get(name, 0) for name, count in counts.items()}
                _write_receipt(client, erasure, shown, target, done=True)
                return False
            # the server tells the times of files in whole seconds
            asked = {"tables": rows.TABLES, "deleted_at": begun.done_at + 1000}
            if client.execute(_ON_DISK, asked)[0][0]:
                return False
            _write_receipt(client, erasure, begun.counts, target, done=True, off_disk=True)
            return True


@dataclass(frozen=True, slots=True)
class _Begun:
    """What the receipt of an erasure says so far."""

    profiles: list[str]
    accounts: list[str]
    counts: dict[str, int]
    done_at: int  #: UTC milliseconds by the server's clock; 0 before

    @classmethod
    def of(cls, client: Client, one: Erasure) -> "_Begun":
        asked = {"tenant": one.tenant, "request": one.request_id, "type": one.type, "value": one.value}
        return cls(*client.execute(_BEGUN, asked)[0])


@dataclass(frozen=True, slots=True)
class _Target:
    """The rows of one erasure."""

    asked: dict[str, Any]  #: the parameters of the statements
    letters: list[tuple[str, int, int]]  #: dead letters

    @classmethod
    def of(cls, client: Client, one: Erasure, begun: _Begun, *, before: int) -> "_Target":
        """Find them. `before` (UTC ms by the server's clock): what was loaded later supersedes nothing."""
        asked: dict[str, Any] = {
            "tenant": one.tenant, "key": rows.hash_of(client, one.tenant, one.type, one.value),
            "version": one.version, "until": moment(one.erased_at), "before": before, "accounts": begun.accounts,
            "profiles": sorted({*begun.profiles, *one.profile_ids, one.profile_id}),
        }  # fmt: skip
        asked |= rows.concerned(client, asked)
        identifier = Identifier(type=one.type, value=one.value)
        return cls(asked, rows.letters_with(client, one.tenant, identifier, asked["until"]))

    def counts(self, client: Client) -> dict[str, int]:
        """The number of rows there are, by table as people name it."""
        conditions = rows.DELETED | rows.DERIVED | rows.VERDICTS
        found = {table: _count(client, table, where, self.asked) for table, where in conditions.items()}
        return {
            **{table.removeprefix("raw_"): count for table, count in found.items()},
            "dead_letters": len(self.letters),
            rows.CLEANED: _count(client, "raw_touchpoints", rows.CARRIED, self.asked),
        }

    def delete(self, client: Client, counts: dict[str, int]) -> None:
        """Delete what `counts` found, until nothing is found any more. Raises SinkError if rows keep coming."""
        for _ in range(_ATTEMPTS):
            self._delete_once(client, counts)
            counts = self.counts(client) | {"dead_letters": 0}
            if not any(counts.values()):
                return
        left = ", ".join(name for name, count in counts.items() if count)
        raise SinkError(f"rows of an erased identifier keep coming into {left}")

    def _delete_once(self, client: Client, counts: dict[str, int]) -> None:
        def found(table: str) -> bool:
            return counts[table.removeprefix("raw_")] > 0

        events = rows.copied_events(client, self.asked)
        for table, where in (rows.DELETED | rows.DERIVED).items():
            if found(table):
                _mutate(client, table, f"ALTER TABLE {table} DELETE WHERE {where}", self.asked)
        if counts[rows.CLEANED]:
            _mutate(client, "raw_touchpoints", rows.CLEAN, self.asked)
        for start in range(0, len(self.letters) if counts["dead_letters"] else 0, rows.LETTERS_AT_ONCE):
            some = self.letters[start : start + rows.LETTERS_AT_ONCE]
            sql = f"ALTER TABLE dead_letters DELETE WHERE {rows.LETTERS}"
            _mutate(client, "dead_letters", sql, {"letters": some})
        for sql in rows.NOTES:
            client.execute(sql, self.asked | {"events": events})
        for table, where in rows.VERDICTS.items():
            if found(table):
                _mutate(client, table, f"ALTER TABLE {table} DELETE WHERE {where}", self.asked)


def _write_receipt(
    client: Client, one: Erasure, counts: dict[str, int] | None = None, target: _Target | None = None, *,
    waits_for: str = "", done: bool = False, off_disk: bool = False,
) -> None:  # fmt: skip
    """Store a receipt. One that is done replaces all notes; of two that are done the one that counted more stands."""
    counts = counts or {}
    version = _DONE + 2 * sum(counts.values()) + off_disk if done else int(time.time() * 1000)
    profiles = list(one.profile_ids) if target is None else target.asked["profiles"]
    accounts = [] if target is None else target.asked["accounts"]
    client.execute(
        "INSERT INTO erasure_receipts (tenant, request_id, identifier_type, identifier_value, erased_at, profile_ids,"
        " account_ids, deleted, done, waits_for, off_disk_at, version) VALUES",
        [
            (
                one.tenant, one.request_id, one.type, one.value, moment(one.erased_at), profiles, accounts, counts,
                int(done), waits_for, datetime.now(UTC) if off_disk else None, version,
            )
        ],
    )  # fmt: skip


def receipt_of(where: ClickHouse, tenant: str, request_id: str) -> list[Receipt]:
    """The receipts of a request, one for each identifier. Raises UnavailableError, SettingsError or SinkError."""
    asked = {"tenant": tenant, "request": request_id}
    with _connected(where) as client:
        found = client.execute(f"{_RECEIPTS} WHERE tenant = %(tenant)s AND request_id = %(request)s", asked)
    return [_receipt(row) for row in found]


def unfinished(where: ClickHouse) -> list[Receipt]:
    """The receipts that are not done yet. Raises UnavailableError, SettingsError or SinkError."""
    with _connected(where) as client:
        return [_receipt(row) for row in client.execute(f"{_RECEIPTS} WHERE done = 0 ORDER BY request_id")]


def _receipt(row: tuple[Any, ...]) -> Receipt:
    request, kind, value, erased_at, deleted, done, recorded_at, waits_for, off_disk_at = row
    return Receipt(request, kind, value, erased_at, deleted, bool(done), recorded_at, waits_for, off_disk_at)


@contextmanager
def _connected(where: ClickHouse) -> Iterator[Client]:
    """A connection for a few statements."""
    client = connect(where, _SETTINGS)
    try:
        with translated(where):
            yield client
    finally:
        client.disconnect()


def _count(client: Client, table: str, condition: str, asked: dict[str, Any]) -> int:
    # A touchpoint whose owner changed has several rows, and is one.
    final = "FINAL" if table == "raw_touchpoints" else ""
    return int(client.execute(f"SELECT count() FROM {table} {final} WHERE {condition}", asked)[0][0])  # noqa: S608


def _mutate(client: Client, table: str, sql: str, asked: dict[str, Any]) -> None:
    """Run a mutation to its end. Raises SinkError if ClickHouse cannot."""
    client.execute(sql, asked)
    while True:
        ((left, failed),) = client.execute(_MUTATIONS, {"table": table})
        if not left:
            return
        if failed:
            raise SinkError(f"ClickHouse cannot delete rows of {table}: {' '.join(failed.split())[:300]}")
        time.sleep(_MUTATION_SECONDS)
