"""Stores the catalogue and the journey rules in ClickHouse, where views use them and analysts can join them."""

from dataclasses import dataclass
from typing import Any, Final

from clickhouse_driver import Client

from schemas.catalogue import Catalogue
from schemas.settings import ClickHouse
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED, LIKELY_ERASURE
from sinks.clickhouse.connection import connect, translated

#: Table → columns. The name is first; every table has is_deleted besides.
TABLES: Final = {
    "catalogue_types": (
        "name", "alias_of", "component", "stage", "stage_rank", "direction", "friction", "moment", "effect", "owner",
    ),
    "catalogue_channels": ("name", "alias_of", "kind"),
    "catalogue_purposes": ("name",),
    "journey_settings": ("name", "value"),
}  # fmt: skip


_MISSPELT: Final = """
    SELECT type, source, uniqExact(tenant, event_id)
    FROM raw_touchpoints
    WHERE type IN (
        SELECT type FROM (SELECT DISTINCT toString(type) AS type FROM raw_touchpoints)
        WHERE (damerauLevenshteinDistance(type, %(asked)s) <= 4 OR match(type, %(likely)s))
        AND type NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0)
    )
    GROUP BY type, source
    ORDER BY type, source
"""


@dataclass(frozen=True, slots=True)
class Meanings:
    """The catalogue, and those journey rules that views use."""

    catalogue: Catalogue
    session_gap_ms: int
    session_cap_ms: int
    issue_overdue_ms: int = 72 * 60 * 60 * 1000


def put_in_force(where: ClickHouse, meanings: Meanings) -> bool:
    """Store `meanings`, which views use from then on. Returns False if the tables contain them already.

    Writes only the differences, so it is idempotent. Of two processes with different catalogues the later one wins.
    Raises UnavailableError, SinkError (retry) or SettingsError (not migrated).
    """
    rows = rows_of(meanings)
    client = connect(where, {"async_insert": 0})
    try:
        with translated(where):
            changed = [_store(client, table, columns, rows[table]) for table, columns in TABLES.items()]
    finally:
        client.disconnect()
    return any(changed)


def differences(where: ClickHouse, meanings: Meanings) -> list[str]:
    """The tables that hold something else than `meanings`. Raises as `put_in_force`."""
    client = connect(where)
    try:
        with translated(where):
            return [
                table
                for table, columns in TABLES.items()
                if set(_present(client, table, columns)) != set(rows_of(meanings)[table])
            ]
    finally:
        client.disconnect()


def rows_of(meanings: Meanings) -> dict[str, list[tuple[Any, ...]]]:
    """Table → its rows, in the order of its columns."""
    catalogue = meanings.catalogue
    names = dict.fromkeys(catalogue.types, "") | dict(catalogue.type_aliases)
    types = []
    for name, alias_of in names.items():
        kind = catalogue.types[alias_of or name]
        rank = -1 if kind.stage is None else catalogue.stages.index(kind.stage)
        meaning = (kind.component, kind.stage or "", rank, kind.direction, kind.friction, kind.moment or "")
        types.append((name, alias_of, *meaning, kind.effect or "", catalogue.owner(name)))
    channels = dict.fromkeys(catalogue.channels, "") | dict(catalogue.channel_aliases)
    return {
        "catalogue_types": types,
        "catalogue_channels": [
            (name, alias_of, "human" if catalogue.human(name) else "digital")
            for name, alias_of in channels.items()
        ],
        "catalogue_purposes": [(name,) for name in catalogue.purposes],
        "journey_settings": [
            ("session_gap_ms", meanings.session_gap_ms),
            ("session_cap_ms", meanings.session_cap_ms),
            ("issue_overdue_ms", meanings.issue_overdue_ms),
        ],
    }


def misspelt_erasures(where: ClickHouse) -> list[tuple[str, str, int]]:
    """Unknown types that look like a misspelt erasure_requested: type, source, stored touchpoints.

    The sender of such a touchpoint believes that it has erased somebody.
    Raises UnavailableError, SinkError or SettingsError.
    """
    client = connect(where)
    try:
        with translated(where):
            found: list[tuple[str, str, int]] = client.execute(
                _MISSPELT, {"asked": ERASURE_REQUESTED, "likely": LIKELY_ERASURE}
            )
    finally:
        client.disconnect()
    return found


def _store(client: Client, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> bool:
    """Whether anything was written."""
    listed = ", ".join(columns)
    present = _present(client, table, columns)
    wanted = {row[0] for row in rows}
    new = [(*row, 0) for row in sorted(set(rows) - set(present))]
    gone = [(*row, 1) for row in present if row[0] not in wanted]
    if new or gone:
        client.execute(f"INSERT INTO {table} ({listed}, is_deleted) VALUES", new + gone)
    return bool(new or gone)


def _present(client: Client, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows in force."""
    found: list[tuple[Any, ...]] = client.execute(
        f"SELECT {', '.join(columns)} FROM {table} FINAL WHERE is_deleted = 0"  # noqa: S608 - our names
    )
    return found
