"""Erasure in ClickHouse: views hide the data at once, the loader deletes it within seconds and writes a receipt.

The loader first stores an Erase: in `raw_erasures`, and as a receipt that is not done. It marks the rows of the
identifier as erased (sinks/clickhouse/write/reconcile/owners.py), which hides them. Then the Erase's Kafka offset may
be committed. A few seconds later the workers have published the corrected journeys: the loader counts and deletes the
rows, and the receipt is done. A minute later it deletes once more, for rows that were in flight. Kafka may deliver
old records again. The loader then leaves out the rows of an erased identifier, and removes the identifier from the
rows of others, before it writes them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from clickhouse_driver import Client

from schemas.encoding.codec import identifiers_of
from schemas.errors import ContractError
from schemas.records import Erase
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.values import Row, moment

_SETTINGS: Final = {"async_insert": 0, "mutations_sync": 2, "lightweight_deletes_sync": 2}

_OWNED: Final = """tenant = %(tenant)s AND identifier_type = %(type)s AND identifier_value = %(value)s"""
#: As `erased` in streams/identity/resolution/ownership.py: up to the time of the erasure, inclusive.
_UNTIL: Final = "occurred_at <= fromUnixTimestamp64Milli(%(until)s)"
_HELD: Final = "tenant = %(tenant)s AND profile_id IN %(profiles)s"

#: Table → condition of the rows that an erasure deletes. Of the profiles that held the identifier it deletes superseded
#: states and retracted signals. If Kafka delivers such a record again, the record that superseded it follows.
DELETED: Final = {
    "raw_touchpoints": f"{_OWNED} AND {_UNTIL}",
    "raw_identity_links": f"""tenant = %(tenant)s AND {_UNTIL} AND (
        (left_type = %(type)s AND left_value = %(value)s) OR (right_type = %(type)s AND right_value = %(value)s))""",
    "raw_identity_assignments": f"{_OWNED} AND version < %(version)s",
    "raw_identity_assignment_history": f"{_OWNED} AND version < %(version)s",
    "raw_journey_states": f"""{_HELD} AND (profile_id, version) NOT IN (
        SELECT profile_id, max(version) FROM raw_journey_states WHERE {_HELD} GROUP BY profile_id)""",  # noqa: S608
    "raw_journey_signals": f"""{_HELD} AND signal_id IN (
        SELECT signal_id FROM raw_journey_signals FINAL WHERE {_HELD} AND status = 'RETRACTED')""",  # noqa: S608
}

#: Table → condition of what a reconciliation made of the deleted rows. It makes it anew, as the notes ask, of what is
#: left.
_DERIVED: Final = {
    "raw_profile_identifiers": _OWNED,
    "raw_identifier_profiles": _OWNED,
    "raw_profiles": _HELD,
}
_NOTES: Final = (
    *(
        f"INSERT INTO {table} (tenant, profile_id, identifier_type, identifier_value)"  # noqa: S608
        " SELECT DISTINCT tenant, owner_id, identifier_type, identifier_value"
        f" FROM raw_touchpoints WHERE {_OWNED}"
        for table in ("raw_profile_identifiers", "raw_identifier_profiles")
    ),
    "INSERT INTO raw_reconciliation_notes (tenant, profile_id) SELECT %(tenant)s, arrayJoin(%(profiles)s)",
    "INSERT INTO raw_reconciliation_notes (event) SELECT arrayJoin(CAST(%(events)s, 'Array(UInt64)'))",
)
#: They are deleted last: an erasure that is repeated after a crash finds in them the events to note.
_VERDICTS: Final = {"raw_touchpoint_verdicts": f"{_OWNED} AND {_UNTIL}"}
#: Events of which a deleted row was one of several copies: another one of them may count now.
_COPIED: Final = f"""
    SELECT groupUniqArray(sipHash64(tenant, source, event_id)) FROM raw_touchpoint_verdicts WHERE {_OWNED} AND {_UNTIL}
"""  # noqa: S608

#: Touchpoints of other identifiers that also carry the erased one: it is removed from them.
_CARRIED: Final = f"""tenant = %(tenant)s AND {_UNTIL} AND NOT ({_OWNED})
    AND arrayExists(i -> i.1 = %(type)s AND i.2 = %(value)s, identifiers)"""
_CLEAN: Final = f"""ALTER TABLE raw_touchpoints
    UPDATE identifiers = arrayFilter(i -> NOT (i.1 = %(type)s AND i.2 = %(value)s), identifiers) WHERE {_CARRIED}"""
CLEANED: Final = "touchpoints of others"


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


@dataclass
class Erased:
    """The erased identifiers that this loader knows. It writes no touchpoint of them up to their erasure."""

    _known: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)  # → erased_at, version

    def learn(self, tenant: str, kind: str, value: str, erased_at: int, version: int) -> None:
        """Note an erased identifier."""
        known = self._known.get((tenant, kind, value), (erased_at, version))
        self._known[tenant, kind, value] = max(known[0], erased_at), max(known[1], version)

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
            return [row for row in rows if row["is_deleted"] or not self._outdated(row)]
        return rows

    def _gone(self, row: Row, end: str, occurred_at: int) -> bool:
        known = self._known.get((row["tenant"], row[f"{end}_type"], row[f"{end}_value"]))
        return known is not None and occurred_at <= known[0]

    def _outdated(self, row: Row) -> bool:
        known = self._known.get((row["tenant"], row["identifier_type"], row["identifier_value"]))
        return known is not None and row["version"] < known[1]

    def _cleaned(self, row: Row) -> Row:
        tenant, at = row["tenant"], row["occurred_at"]
        kept = [pair for pair in row["identifiers"] if at > self._known.get((tenant, *pair), (at - 1, 0))[0]]
        return row if len(kept) == len(row["identifiers"]) else {**row, "identifiers": kept}


class Eraser:
    """Carries out erasures, one at a time, in one thread at a time. Raises the errors of a Writer (inserts.py)."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self.erased = Erased()

    def recall(self) -> list[Erasure]:
        """Read the erasures stored by all loaders. Returns the requests that are not done."""
        with _connected(self._where) as client:
            rows = client.execute(
                "SELECT tenant, identifier_type, identifier_value, toUnixTimestamp64Milli(erased_at), version"
                " FROM raw_erasures FINAL"
            )
            for row in rows:
                self.erased.learn(*row)
            begun = client.execute(
                "SELECT r.tenant, r.identifier_type, r.identifier_value, toUnixTimestamp64Milli(r.erased_at),"
                " e.profile_id, r.profile_ids, e.version, r.request_id"
                " FROM erasure_receipts AS r FINAL"
                " JOIN (SELECT * FROM raw_erasures FINAL) AS e USING (tenant, identifier_type, identifier_value)"
                " WHERE r.done = 0"
            )
        return [
            Erasure(tenant, kind, value, erased_at, profile, tuple(profiles), version, request)
            for tenant, kind, value, erased_at, profile, profiles, version, request in begun
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
                self._write_receipt(client, one, {})

    def carry_out(self, erasure: Erasure) -> None:
        """Delete the rows of an erasure and mark its receipt as done."""
        asked = _parameters(erasure)
        with _connected(self._where) as client:
            counts = {table: _count(client, table, condition, asked) for table, condition in DELETED.items()}
            counts[CLEANED] = _count(client, "raw_touchpoints", _CARRIED, asked)
            ((events,),) = client.execute(_COPIED, asked)
            for table, condition in DELETED.items():
                if counts[table]:
                    client.execute(f"DELETE FROM {table} WHERE {condition}", asked)  # noqa: S608
            _delete(client, _DERIVED, asked)
            for sql in _NOTES:
                client.execute(sql, asked | {"events": events})
            _delete(client, _VERDICTS, asked)
            if counts[CLEANED]:
                client.execute(_CLEAN, asked)
            # The receipt names what was deleted as people do.
            shown = {table.removeprefix("raw_"): count for table, count in counts.items()}
            self._write_receipt(client, erasure, shown)

    def _write_receipt(self, client: Client, one: Erasure, counts: dict[str, int]) -> None:
        """Store a receipt. Its version is the number of rows it found, so a later empty one replaces none."""
        client.execute(
            "INSERT INTO erasure_receipts (tenant, request_id, identifier_type, identifier_value, erased_at,"
            " profile_ids, deleted, done, version) VALUES",
            [
                (
                    one.tenant, one.request_id, one.type, one.value, moment(one.erased_at), list(one.profile_ids),
                    counts, int(bool(counts)), 1 + sum(counts.values()) if counts else 0,
                )
            ],
        )  # fmt: skip


def receipt_of(where: ClickHouse, tenant: str, request_id: str) -> list[Receipt]:
    """The receipts of a request, one for each identifier. Raises UnavailableError, SettingsError or SinkError."""
    with _connected(where) as client:
        rows = client.execute(
            "SELECT request_id, identifier_type, identifier_value, erased_at, deleted, done, recorded_at"
            " FROM erasure_receipts FINAL WHERE tenant = %(tenant)s AND request_id = %(request)s",
            {"tenant": tenant, "request": request_id},
        )
    return [
        Receipt(request, kind, value, erased_at, deleted, bool(done), recorded_at)
        for request, kind, value, erased_at, deleted, done, recorded_at in rows
    ]


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


def _delete(client: Client, conditions: dict[str, str], asked: dict[str, Any]) -> None:
    """Delete what is there: a DELETE costs a mutation even if it finds nothing."""
    for table, condition in conditions.items():
        if _count(client, table, condition, asked):
            client.execute(f"DELETE FROM {table} WHERE {condition}", asked)  # noqa: S608


def _parameters(erasure: Erasure) -> dict[str, Any]:
    return {
        "tenant": erasure.tenant, "type": erasure.type, "value": erasure.value, "version": erasure.version,
        "until": moment(erasure.erased_at), "profiles": list({*erasure.profile_ids, erasure.profile_id}),
    }  # fmt: skip
