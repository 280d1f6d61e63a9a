"""The requests for erasure, and their receipts in ClickHouse."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_driver import Client

from schemas.records import Erase
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.values import moment

_SETTINGS: Final = {
    "async_insert": 0,
    # a replica that carries a mutation out looks the identifier up by itself
    "allow_nondeterministic_mutations": 1,
    # profiles and signals are named one by one
    "max_query_size": 1 << 26,
}
#: The version of a receipt that is done exceeds that of every note on what it waits for: a time in milliseconds.
_DONE: Final = 1 << 62
_RECEIPTS: Final = """
    SELECT
        request_id, identifier_type, identifier_value, erased_at, deleted, done, recorded_at, waits_for, off_disk_at
    FROM erasure_receipts FINAL
"""
_BEGUN: Final = """
    SELECT groupUniqArrayArray(profile_ids), groupUniqArrayArray(account_ids), maxMap(deleted),
        toUnixTimestamp64Milli(maxIf(recorded_at, done = 1 AND off_disk_at IS NULL))
    FROM erasure_receipts
    WHERE tenant = %(tenant)s AND request_id = %(request)s AND identifier_type = %(type)s
        AND identifier_value = %(value)s
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


@dataclass(frozen=True, slots=True)
class Begun:
    """What the receipt of an erasure says so far."""

    profiles: list[str]
    accounts: list[str]
    counts: dict[str, int]
    done_at: int  #: UTC milliseconds by the server's clock; 0 before

    @classmethod
    def of(cls, client: Client, one: Erasure) -> "Begun":
        """Read it."""
        asked = {"tenant": one.tenant, "request": one.request_id, "type": one.type, "value": one.value}
        return cls(*client.execute(_BEGUN, asked)[0])


def write_receipt(
    client: Client, one: Erasure, counts: dict[str, int] | None = None, *,
    concerned: tuple[list[str], list[str]] | None = None, waits_for: str = "", done: bool = False,
    off_disk: bool = False,
) -> None:  # fmt: skip
    """Store a receipt. One that is done replaces all notes; of two that are done the one that counted more stands.

    `concerned`: the profiles and the accounts whose rows it counts; before they are known, those of the request.
    """
    counts = counts or {}
    version = _DONE + 2 * sum(counts.values()) + off_disk if done else int(time.time() * 1000)
    profiles, accounts = concerned or (list(one.profile_ids), [])
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
    with connected(where) as client:
        found = client.execute(f"{_RECEIPTS} WHERE tenant = %(tenant)s AND request_id = %(request)s", asked)
    return [_receipt(row) for row in found]


def unfinished(where: ClickHouse) -> list[Receipt]:
    """The receipts that are not done yet. Raises UnavailableError, SettingsError or SinkError."""
    with connected(where) as client:
        return [_receipt(row) for row in client.execute(f"{_RECEIPTS} WHERE done = 0 ORDER BY request_id")]


def _receipt(row: tuple[Any, ...]) -> Receipt:
    request, kind, value, erased_at, deleted, done, recorded_at, waits_for, off_disk_at = row
    return Receipt(request, kind, value, erased_at, deleted, bool(done), recorded_at, waits_for, off_disk_at)


@contextmanager
def connected(where: ClickHouse) -> Iterator[Client]:
    """A connection for a few statements."""
    client = connect(where, _SETTINGS)
    try:
        with translated(where):
            yield client
    finally:
        client.disconnect()
