"""Keeps the owner on each touchpoint's row right: rewrites the rows of identifiers that changed hands.

A row's version holds what was known when its owner was decided (columns.py, COPY_VERSION). A decision that knew more
has a higher version. So rewriting may be repeated, may come late, and two loaders may rewrite one row: the row that
knew most stays. Each loader writes its records first and reads afterwards. Of two loaders, one with a touchpoint and
one with an assignment of its identifier, the one that reads later sees both.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias, TypeVar

from clickhouse_driver import Client

from sinks.clickhouse.write.encoding.columns import AFTER_ERASURE_BIT, DECIDED_SHIFT, ERASED_BIT, RANK_SHIFT
from sinks.clickhouse.write.encoding.tables import TABLES

#: Tenant, type and value.
Identifier: TypeAlias = tuple[str, str, str]

T = TypeVar("T")

#: Identifiers of one statement: they stand in its text.
AT_ONCE: Final = 1_000

LOADED_SINCE: Final = "loaded_at >= fromUnixTimestamp64Milli(%(since)s, 'UTC')"

#: Identifiers whose assignment or erasure was loaded since, and those of touchpoints loaded since that were stitched
#: before their identifier's newest assignment or erasure.
_CHANGED: Final = f"""
    SELECT tenant, identifier_type, identifier_value FROM raw_identity_assignments WHERE {LOADED_SINCE}
    UNION DISTINCT
    SELECT tenant, identifier_type, identifier_value FROM raw_erasures WHERE {LOADED_SINCE}
    UNION DISTINCT
    SELECT tenant, identifier_type, identifier_value
    FROM (
        SELECT tenant, identifier_type, identifier_value, min(assignment_version) AS stitched
        FROM raw_touchpoints WHERE {LOADED_SINCE}
        GROUP BY tenant, identifier_type, identifier_value
    ) AS t
    INNER JOIN (
        SELECT tenant, identifier_type, identifier_value, max(version) AS version
        FROM (
            SELECT tenant, identifier_type, identifier_value, version FROM raw_identity_assignments
            WHERE (tenant, identifier_type, identifier_value) IN (
                SELECT tenant, identifier_type, identifier_value FROM raw_touchpoints WHERE {LOADED_SINCE})
            UNION ALL
            SELECT tenant, identifier_type, identifier_value, version FROM raw_erasures
        )
        GROUP BY tenant, identifier_type, identifier_value
    ) AS known USING (tenant, identifier_type, identifier_value)
    WHERE known.version > t.stitched
"""  # noqa: S608 (names of our own)


def _prefixed(columns: Iterable[str]) -> str:
    return ", ".join(f"t.{name} AS {name}" for name in columns)


_WRITTEN: Final = [column.name for column in TABLES["ResolvedTouchpoint"].columns]
_COPIED: Final = [name for name in _WRITTEN if name != "version"]
_NAMED: Final = "(tenant, identifier_type, identifier_value) IN %(identifiers)s"

#: The decision. Versions are raised by one: 0 is nothing known. An erased row stays erased. Otherwise the newest of
#: three decides: the assignment that the row was stitched under, the identifier's assignment, its erasure.
_DECIDED: Final = f"""
    SELECT
        {{columns}},
        greatest(toInt256(t.assignment_version) + 1, toInt256(0)) AS stitched,
        if(a.found = 1, toInt256(a.version) + 1, toInt256(0)) AS assigned,
        if(e.found = 1, toInt256(e.version) + 1, toInt256(0)) AS erasure,
        e.found = 1 AND t.occurred_at <= e.erased_at AS erased,
        erasure > stitched AND (a.found = 0 OR a.deleted = 1 OR erasure >= assigned) AS after_erasure,
        bitShiftLeft(bitShiftRight(t.version, {RANK_SHIFT}), {RANK_SHIFT})
            + bitShiftLeft(toUInt256(erased), {ERASED_BIT})
            + bitShiftLeft(toUInt256(greatest(stitched, assigned, erasure)), {DECIDED_SHIFT})
            + bitShiftLeft(toUInt256(after_erasure), {AFTER_ERASURE_BIT})
            + toUInt256(stitched) AS decided_version
    FROM (SELECT * FROM raw_touchpoints FINAL WHERE {_NAMED}) AS t
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, max(version) AS version,
            argMax(profile_id, assignments.version) AS owner,
            argMax(tuple(contested_from), assignments.version).1 AS contested_from,
            argMax(contested_profile_id, assignments.version) AS contested_owner,
            argMax(is_deleted, assignments.version) AS deleted
        FROM raw_identity_assignments AS assignments
        WHERE {_NAMED}
        GROUP BY tenant, identifier_type, identifier_value
    ) AS a USING (tenant, identifier_type, identifier_value)
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, version, erased_at, profile_id AS owner
        FROM raw_erasures FINAL
        WHERE {_NAMED}
    ) AS e USING (tenant, identifier_type, identifier_value)
"""  # noqa: S608 (names of our own)
_OWNER: Final = """multiIf(
    after_erasure, e.owner,
    a.found = 0 OR a.deleted = 1 OR stitched > assigned, t.profile_id,
    ifNull(t.occurred_at >= a.contested_from, 0), a.contested_owner,
    a.owner
)"""

#: Of most identifiers no row changes. This question reads four narrow columns, the rewrite all of them.
_OUTDATED: Final = f"""
    SELECT DISTINCT tenant, identifier_type, identifier_value
    FROM ({_DECIDED.format(columns=_prefixed(("tenant", "identifier_type", "identifier_value", "version")))})
    WHERE decided_version > version
"""  # noqa: S608 (names of our own)
_REWRITE: Final = f"""
    INSERT INTO raw_touchpoints ({", ".join(_COPIED)}, version, owner_id, is_erased)
    SELECT {", ".join(_COPIED)}, decided_version, decided_owner, erased
    FROM ({_DECIDED.format(columns=f"{_prefixed(_WRITTEN)}, {_OWNER} AS decided_owner")})
    WHERE decided_version > version
"""  # noqa: S608 (names of our own)


def changed_identifiers(client: Client, since: int) -> list[Identifier]:
    """The identifiers whose touchpoints may have another owner than their rows say, of all that was loaded since."""
    return list(client.execute(_CHANGED, {"since": since}))


def rewrite(client: Client, identifiers: Iterable[Identifier]) -> None:
    """Write the rows of identifiers again whose owner is another one by what is known now."""
    for some in in_chunks(identifiers):
        outdated = tuple(client.execute(_OUTDATED, {"identifiers": some}))
        if outdated:
            client.execute(_REWRITE, {"identifiers": outdated})


def in_chunks(items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """The items, AT_ONCE at a time."""
    remaining = iter(items)
    while some := tuple(islice(remaining, AT_ONCE)):
        yield some
