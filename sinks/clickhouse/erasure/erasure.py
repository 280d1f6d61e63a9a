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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_driver import Client

from schemas.errors import SinkError
from schemas.records import Identifier
from schemas.settings import ClickHouse
from sinks.clickhouse.erasure import rows
from sinks.clickhouse.erasure.erased import Erased
from sinks.clickhouse.erasure.receipts import Begun, Erasure, connected, write_receipt
from sinks.clickhouse.values import moment

#: Between two looks whether a mutation is done. The server says nothing while one waits for a mutation, and a
#: connection that is silent for long counts as broken.
_MUTATION_SECONDS: Final = 0.1
#: Deletions of one attempt: rows that were in flight may show between the first and the last of its statements.
_ATTEMPTS: Final = 3

_RECALLED: Final = """
    SELECT r.tenant, r.identifier_type, r.identifier_value, toUnixTimestamp64Milli(r.erased_at), e.profile_id,
        r.profile_ids, e.version, r.request_id, r.done
    FROM erasure_receipts AS r FINAL
    JOIN (SELECT * FROM raw_erasures FINAL) AS e USING (tenant, identifier_type, identifier_value)
    WHERE r.done = 0 OR r.off_disk_at IS NULL
"""
#: Erased identifiers all of whose requests are done.
_SETTLED: Final = """
    SELECT tenant, identifier_type, identifier_value FROM erasure_receipts FINAL
    GROUP BY tenant, identifier_type, identifier_value HAVING min(done) = 1
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


class Eraser:
    """Carries out erasures, one at a time, in one thread at a time. Raises the errors of a Writer (inserts.py)."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self.erased = Erased()

    def recall(self) -> list[tuple[Erasure, bool]]:
        """Read the erasures stored by all loaders. Returns the unfinished ones, and whether their receipt is done."""
        with connected(self._where) as client:
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
        with connected(self._where) as client:
            client.execute(
                "INSERT INTO raw_erasures"
                " (tenant, identifier_type, identifier_value, erased_at, profile_id, version) VALUES",
                [
                    (one.tenant, one.type, one.value, moment(one.erased_at), one.profile_id, one.version)
                    for one in found
                ],
            )
            for one in found:
                write_receipt(client, one, waits_for="the workers")

    def tell(self, erasure: Erasure, waits_for: str) -> None:
        """Note what an erasure waits for."""
        with connected(self._where) as client:
            write_receipt(client, erasure, waits_for=waits_for)

    def carry_out(self, erasure: Erasure) -> None:
        """Delete the rows of an erasure and mark its receipt as done.

        Whoever repeats it after a crash finds fewer rows: profiles, accounts and counts are stored before the first
        row is deleted, and the higher counts stand.
        """
        with connected(self._where) as client:
            begun = Begun.of(client, erasure)
            ((now,),) = client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
            target = _Target.of(client, erasure, begun, before=now)
            counts = target.counts(client)
            shown = {name: max(count, begun.counts.get(name, 0)) for name, count in counts.items()}
            write_receipt(
                client, erasure, shown, concerned=target.concerned, waits_for="deletion in ClickHouse"
            )
            target.delete(client, counts)
            write_receipt(client, erasure, shown, concerned=target.concerned, done=True)
        self.erased.settle(erasure.tenant, erasure.type, erasure.value)

    def look_again(self, erasure: Erasure) -> bool:
        """Delete rows that were in flight at the first deletion. Returns whether nothing is left to do.

        That is so once the files of deleted rows are gone, which the receipt then says.
        """
        with connected(self._where) as client:
            begun = Begun.of(client, erasure)
            target = _Target.of(client, erasure, begun, before=begun.done_at)
            counts = target.counts(client)
            if any(counts.values()):
                target.delete(client, counts)
                shown = {name: count + begun.counts.get(name, 0) for name, count in counts.items()}
                write_receipt(client, erasure, shown, concerned=target.concerned, done=True)
                return False
            # the server tells the times of files in whole seconds
            asked = {"tables": rows.TABLES, "deleted_at": begun.done_at + 1000}
            if client.execute(_ON_DISK, asked)[0][0]:
                return False
            write_receipt(client, erasure, begun.counts, concerned=target.concerned, done=True, off_disk=True)
            return True


@dataclass(frozen=True, slots=True)
class _Target:
    """The rows of one erasure."""

    asked: dict[str, Any]  #: the parameters of the statements
    letters: list[tuple[str, int, int]]  #: dead letters

    @classmethod
    def of(cls, client: Client, one: Erasure, begun: Begun, *, before: int) -> "_Target":
        """Find them. `before` (UTC ms by the server's clock): what was loaded later supersedes nothing."""
        asked: dict[str, Any] = {
            "tenant": one.tenant, "key": rows.hash_of(client, one.tenant, one.type, one.value),
            "version": one.version, "until": moment(one.erased_at), "before": before, "accounts": begun.accounts,
            "profiles": sorted({*begun.profiles, *one.profile_ids, one.profile_id}),
        }  # fmt: skip
        asked |= rows.concerned(client, asked)
        identifier = Identifier(type=one.type, value=one.value)
        return cls(asked, rows.letters_with(client, one.tenant, identifier, asked["until"]))

    @property
    def concerned(self) -> tuple[list[str], list[str]]:
        """Its profiles and accounts."""
        return self.asked["profiles"], self.asked["accounts"]

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
