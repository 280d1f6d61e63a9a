"""The catalogue in force as ClickHouse tables, so that analysts can join it and see which names nobody knows."""

from typing import Any, Final

from clickhouse_driver import Client

from schemas.catalogue import Catalogue
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated

#: Table → columns, the name first; the last, is_deleted, comes beside.
TABLES: Final = {
    "catalogue_types": (
        "name", "alias_of", "component", "stage", "direction", "friction", "moment", "effect",
    ),
    "catalogue_channels": ("name", "alias_of", "kind"),
    "catalogue_purposes": ("name",),
}  # fmt: skip


_MISSPELT: Final = """
    SELECT type, source, uniqExact(tenant, event_id)
    FROM touchpoints
    WHERE type IN (
        SELECT type FROM (SELECT DISTINCT toString(type) AS type FROM touchpoints)
        WHERE damerauLevenshteinDistance(type, 'erasure_requested') <= 4
        AND type NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0)
    )
    GROUP BY type, source
    ORDER BY type, source
"""


def store_catalogue(where: ClickHouse, catalogue: Catalogue) -> None:
    """Make the catalogue's tables say what the catalogue says; writes what differs, so it may be repeated.

    Of two processes with different catalogues the later one wins. Raises UnavailableError, SinkError (retry) or
    SettingsError (not migrated).
    """
    rows = catalogue_rows(catalogue)
    client = connect(where, {"async_insert": 0})
    try:
        with translated(where):
            for table, columns in TABLES.items():
                _store(client, table, columns, rows[table])
    finally:
        client.disconnect()


def catalogue_rows(catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table, in the order of its columns."""
    names = dict.fromkeys(catalogue.types, "") | dict(catalogue.type_aliases)
    types = []
    for name, alias_of in names.items():
        kind = catalogue.types[alias_of or name]
        meaning = (kind.component, kind.stage or "", kind.direction, kind.friction)
        types.append((name, alias_of, *meaning, kind.moment or "", kind.effect or ""))
    channels = dict.fromkeys(catalogue.channels, "") | dict(catalogue.channel_aliases)
    return {
        "catalogue_types": types,
        "catalogue_channels": [
            (name, alias_of, "human" if catalogue.human(name) else "digital")
            for name, alias_of in channels.items()
        ],
        "catalogue_purposes": [(name,) for name in catalogue.purposes],
    }


def misspelt_erasures(where: ClickHouse) -> list[tuple[str, str, int]]:
    """Types that nobody knows and that look like a misspelt erasure_requested: type, source, stored touchpoints.

    Whoever sent one believes that somebody was forgotten. Raises UnavailableError, SinkError or SettingsError.
    """
    client = connect(where)
    try:
        with translated(where):
            found: list[tuple[str, str, int]] = client.execute(_MISSPELT)
    finally:
        client.disconnect()
    return found


def _store(client: Client, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    listed = ", ".join(columns)
    present = client.execute(f"SELECT {listed} FROM {table} FINAL WHERE is_deleted = 0")  # noqa: S608 - our names
    wanted = {row[0] for row in rows}
    new = [(*row, 0) for row in sorted(set(rows) - set(present))]
    gone = [(*row, 1) for row in present if row[0] not in wanted]
    if new or gone:
        client.execute(f"INSERT INTO {table} ({listed}, is_deleted) VALUES", new + gone)
