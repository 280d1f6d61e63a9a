"""How long ClickHouse keeps rows (TOUCHLINE_CLICKHOUSE_RETENTION) and the files of rows that are gone."""

import re
from collections.abc import Sequence
from typing import Final

from schemas.errors import SettingsError
from schemas.settings import ClickHouse
from sinks.clickhouse.cluster import on_cluster
from sinks.clickhouse.connection import connect, translated

#: What the setting names → its table, and the time that counts. What states and owners are decided from stays for ever.
TABLES: Final = {
    "touchpoints": ("raw_touchpoints", "occurred_at"),
    "journey_signals": ("raw_journey_signals", "occurred_at"),
    "identity_assignment_history": ("raw_identity_assignment_history", "published_at"),
    "profile_changes": ("profile_changes", "occurred_at"),
    "dead_letters": ("dead_letters", "loaded_at"),
    "webhook_deliveries": ("webhook_deliveries", "loaded_at"),
}
#: Days that hold if the setting does not name a table; without an entry for ever.
DEFAULT_DAYS: Final = {"dead_letters": 30, "webhook_deliveries": 90}
LONGEST_DAYS: Final = 36_500

_PART: Final = re.compile(r"\s*([a-z_]+)\s*=\s*(\d{1,5})\s*", re.ASCII)
_TTL: Final = re.compile(r"\bTTL \w+ \+ toIntervalDay\((\d+)\)")
_LIFETIME: Final = re.compile(r"\bold_parts_lifetime = (\d+)")
#: The server looks for such files in rounds: by default up to five minutes apart.
_FILES: Final = "old_parts_lifetime = {}, cleanup_delay_period = 10, max_cleanup_delay_period = 30"
_PRESENT: Final = """
    SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND name IN %(tables)s
"""


def days_of(text: str) -> dict[str, int]:
    """The setting: name → days. Raises SettingsError."""
    found = dict(DEFAULT_DAYS)
    for part in text.split(",") if text.strip() else ():
        match = _PART.fullmatch(part)
        if match is None or match[1] not in TABLES or not 1 <= int(match[2]) <= LONGEST_DAYS:
            raise SettingsError(
                f"TOUCHLINE_CLICKHOUSE_RETENTION has {part.strip()!r}: write NAME=DAYS, where NAME is one of"
                f" {', '.join(TABLES)} and DAYS 1 to {LONGEST_DAYS}"
            )
        found[match[1]] = int(match[2])
    return found


def keep(where: ClickHouse, text: str) -> list[str]:
    """Set the TTL of every table as the setting says. Returns the tables that were changed.

    ClickHouse deletes rows when it merges them: within hours. Raises SettingsError, UnavailableError or SinkError.
    """
    wanted = days_of(text)
    client = connect(where)
    try:
        with translated(where):
            present = dict(client.execute(_PRESENT, {"tables": [table for table, _ in TABLES.values()]}))
            changed = []
            for name, (table, column) in TABLES.items():
                match = _TTL.search(present[table])
                days = int(match[1]) if match else None
                if days != wanted.get(name):
                    client.execute(on_cluster(where, _statement(table, column, wanted.get(name))))
                    changed.append(table)
            return changed
    finally:
        client.disconnect()


def keep_files(where: ClickHouse, tables: Sequence[str], seconds: int) -> list[str]:
    """Let the server remove files of these tables so long after a deletion or a merge has replaced them.

    Returns the tables that were changed. Raises SettingsError, UnavailableError or SinkError.
    """
    client = connect(where)
    try:
        with translated(where):
            present = dict(client.execute(_PRESENT, {"tables": list(tables)}))
            changed = []
            for table in tables:
                match = _LIFETIME.search(present[table])
                if match is None or int(match[1]) != seconds:
                    client.execute(
                        on_cluster(where, f"ALTER TABLE {table} MODIFY SETTING {_FILES.format(seconds)}")
                    )
                    changed.append(table)
            return changed
    finally:
        client.disconnect()


def _statement(table: str, column: str, days: int | None) -> str:
    if days is None:
        return f"ALTER TABLE {table} REMOVE TTL"
    # Rows that are there are deleted as they are merged: rewriting them all at once would stop loading.
    return f"ALTER TABLE {table} MODIFY TTL {column} + toIntervalDay({days}) SETTINGS materialize_ttl_after_modify = 0"
