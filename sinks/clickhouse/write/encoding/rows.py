"""Rows that are not made of a record's columns: those of tombstones, and those of the assignment history."""

from typing import Final

from schemas.internal import check_profile
from sinks.clickhouse.values import Row, moment
from sinks.clickhouse.write.encoding.columns import ORIGIN, Source, Table

#: Table → the table that keeps every version of its rows, made by `history_row`.
HISTORY_OF: Final = {"raw_identity_assignments": "raw_identity_assignment_history"}


def history_row(row: Row, published_at: int) -> Row:
    """The row of raw_identity_assignment_history for a row of raw_identity_assignments. `published_at` is in UTC ms."""
    return {**row, "published_at": moment(published_at)}


def tombstone_row(table: Table, key: str, version: int, source: Source) -> Row:
    """The row that marks the key of a tombstone as deleted. It has only the columns of the key and the version.

    Raises ValueError if the key does not have the form of `table.key`, ContractError if it names no profile.
    """
    names, values = _split(table.key, nested=True), _split(key, nested=":" in table.key)
    if len(values) != len(names) or not all(values):
        raise ValueError(f"the key of a tombstone of {table.name} must read {table.key}")
    found = dict(zip(names, values, strict=True))
    if "profile_id" in found:
        check_profile(found["profile_id"])
    return {
        **found,
        "version": version,
        "is_deleted": 1,
        **{column.name: column.value({}, source, {}) for column in ORIGIN},
    }


def _split(key: str, *, nested: bool) -> list[str]:
    """Split `tenant/rest`, and the rest at its first colon if `nested`."""
    tenant, _, rest = key.partition("/")
    return [tenant, *rest.split(":", 1)] if nested else [tenant, rest]
