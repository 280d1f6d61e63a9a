"""Keeps the owner on each touchpoint's row right: rewrites the rows of identifiers that changed hands.

A row's version holds what was known when its owner was decided (columns.py, COPY_VERSION). A decision that knew more
has a higher version. So rewriting may be repeated, may come late, and two loaders may rewrite one row: the row that
knew most stays. A reconciliation compares everything that was loaded since an earlier one with everything else, by hash
joins of narrow columns.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from sinks.clickhouse.write.encoding.columns import AFTER_ERASURE_BIT, DECIDED_SHIFT, ERASED_BIT, RANK_SHIFT
from sinks.clickhouse.write.encoding.tables import TABLES
from sinks.clickhouse.write.reconcile.session import Session

#: Tenant, type and value.
Identifier: TypeAlias = tuple[str, str, str]

IDENTIFIER: Final = "tenant, identifier_type, identifier_value"
LOADED_SINCE: Final = "loaded_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC')"
_MINE: Final = f"cityHash64({IDENTIFIER}) %% %(parts)s = %(part)s"

_LOADED: Final = f"""
    SELECT (SELECT count() FROM raw_touchpoints WHERE {LOADED_SINCE})
        + (SELECT count() FROM raw_identity_assignments WHERE {LOADED_SINCE})
"""  # noqa: S608 (names of our own)

#: Identifiers whose assignment or erasure was loaded since, and those of touchpoints loaded since that were stitched
#: before their identifier's newest assignment or erasure.
_CHANGED: Final = f"""
    SELECT {IDENTIFIER} FROM raw_identity_assignments WHERE {LOADED_SINCE} AND {_MINE}
    UNION DISTINCT
    SELECT {IDENTIFIER} FROM raw_erasures WHERE {LOADED_SINCE} AND {_MINE}
    UNION DISTINCT
    SELECT {IDENTIFIER}
    FROM (
        SELECT {IDENTIFIER}, min(assignment_version) AS stitched
        FROM raw_touchpoints WHERE {LOADED_SINCE} AND {_MINE}
        GROUP BY {IDENTIFIER}
    ) AS t
    INNER JOIN (
        SELECT {IDENTIFIER}, max(version) AS version
        FROM (
            SELECT {IDENTIFIER}, version FROM raw_identity_assignments
            WHERE ({IDENTIFIER}) IN (SELECT {IDENTIFIER} FROM raw_touchpoints WHERE {LOADED_SINCE} AND {_MINE})
            UNION ALL
            SELECT {IDENTIFIER}, version FROM raw_erasures
        )
        GROUP BY {IDENTIFIER}
    ) AS known USING ({IDENTIFIER})
    WHERE known.version > t.stitched
"""  # noqa: S608 (names of our own)


def _prefixed(columns: Iterable[str]) -> str:
    return ", ".join(f"t.{name} AS {name}" for name in columns)


_WRITTEN: Final = [column.name for column in TABLES["ResolvedTouchpoint"].columns]
_COPIED: Final = [name for name in _WRITTEN if name != "version"]
_STATE: Final = ["owner_id", "is_erased"]
_COMPARED: Final = ["tenant", "identifier_type", "identifier_value", "version", *_STATE]
_NAMED: Final = f"({IDENTIFIER}) IN (SELECT {IDENTIFIER} FROM {{names}})"  # noqa: S608 (names of our own)

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
        multiIf(
            after_erasure, e.owner,
            a.found = 0 OR a.deleted = 1 OR stitched > assigned, t.profile_id,
            ifNull(t.occurred_at >= a.contested_from, 0), ifNull(a.contested_owner, a.owner),
            a.owner
        ) AS decided_owner,
        bitShiftLeft(bitShiftRight(t.version, {RANK_SHIFT}), {RANK_SHIFT})
            + bitShiftLeft(toUInt256(erased), {ERASED_BIT})
            + bitShiftLeft(toUInt256(greatest(stitched, assigned, erasure)), {DECIDED_SHIFT})
            + bitShiftLeft(toUInt256(after_erasure), {AFTER_ERASURE_BIT})
            + toUInt256(stitched) AS decided_version
    FROM (SELECT * FROM raw_touchpoints FINAL WHERE {{named}}) AS t
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, max(version) AS version,
            argMax(profile_id, assignments.version) AS owner,
            argMax(tuple(contested_from), assignments.version).1 AS contested_from,
            argMax(tuple(contested_profile_id), assignments.version).1 AS contested_owner,
            argMax(is_deleted, assignments.version) AS deleted
        FROM raw_identity_assignments AS assignments
        WHERE {{named}}
        GROUP BY tenant, identifier_type, identifier_value
    ) AS a USING (tenant, identifier_type, identifier_value)
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, version, erased_at, profile_id AS owner
        FROM raw_erasures FINAL
        WHERE {{named}}
    ) AS e USING (tenant, identifier_type, identifier_value)
"""  # noqa: S608 (names of our own)

#: A row whose owner stays needs no newer version: whatever supersedes it later was loaded later, so a run looks at it.
_OUTDATED: Final = "decided_version > version AND if(erased, NOT is_erased, decided_owner != owner_id)"
#: Of most identifiers no row changes. This question reads few narrow columns, the rewrite all of them.
_CHANGES: Final = f"""
    SELECT DISTINCT {IDENTIFIER}
    FROM ({_DECIDED.format(columns=_prefixed(_COMPARED), named=_NAMED.format(names="changed"))})
    WHERE {_OUTDATED}
"""  # noqa: S608 (names of our own)
REWRITE: Final = f"""
    INSERT INTO raw_touchpoints ({", ".join(_COPIED)}, version, owner_id, is_erased)
    SELECT {", ".join(_COPIED)}, decided_version, decided_owner, erased
    FROM ({_DECIDED.format(columns=_prefixed([*_WRITTEN, *_STATE]), named=_NAMED.format(names="outdated"))})
    WHERE {_OUTDATED}
"""  # noqa: S608 (names of our own)
#: Makes the profiles that these identifiers ever belonged to be computed again.
_NOTE: Final = f"""
    INSERT INTO raw_reconciliation_notes ({IDENTIFIER}) SELECT {IDENTIFIER} FROM changed
"""  # noqa: S608 (names of our own)


def rewrite_since(session: Session, since: int, *, noting: bool = False) -> None:
    """Rewrite rows with an outdated owner, of all identifiers of which anything was loaded since (UTC milliseconds).

    `noting`: note these identifiers too, because a run that died may have rewritten their rows already.
    """
    ((loaded,),) = session.run(_LOADED, {"since": since})
    parts = 1 + loaded // session.limits.at_once
    for part in range(parts):
        if session.fill("changed", _CHANGED, {"since": since, "parts": parts, "part": part}):
            _rewrite(session)
            if noting:
                session.write(_NOTE)


def rewrite_named(session: Session, identifiers: Iterable[Identifier]) -> None:
    """Rewrite rows with an outdated owner, of these identifiers."""
    session.fill_with("changed", identifiers)
    _rewrite(session)


def _rewrite(session: Session) -> None:
    if session.fill("outdated", _CHANGES):
        session.write(REWRITE)
