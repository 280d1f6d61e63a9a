"""Numbered SQL files, each applied once and in order: how ClickHouse gets its tables and views.

Every statement may run again (IF NOT EXISTS, OR REPLACE), so a migration that was cut off is simply repeated.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from schemas.errors import SettingsError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import address, connect, translated

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: ClickHouse substitutes no identifiers, so the only ones that enter a statement are of this form.
IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)

_FILE: Final = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
#: Stands in the source of a dictionary, which reads with the rights of a user of its own.
_CREDENTIALS: Final = "/* credentials */"
_JOURNAL: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        name String, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
    )
    ENGINE = ReplacingMergeTree(applied_at) ORDER BY name
    COMMENT 'The files of sinks/clickhouse/migrations that this database has'
"""


@dataclass(frozen=True)
class Migration:
    """One file: `name` is NNNN_what.sql."""

    name: str
    checksum: str
    statements: tuple[str, ...]


def migrate(where: ClickHouse, directory: Path = MIGRATIONS) -> list[str]:
    """Create the database and apply what it lacks; returns the names of the files applied.

    Raises UnavailableError, SinkError, or SettingsError if the server refuses or an applied file has changed.
    """
    _create_database(where)
    client = connect(where, {"async_insert": 0})
    try:
        with translated(where):
            client.execute(_JOURNAL)
            pending = _pending(client, where, directory)
            for migration in pending:
                for statement in migration.statements:
                    client.execute(statement.replace(_CREDENTIALS, _credentials(where)))
                row = [(migration.name, migration.checksum)]
                client.execute("INSERT INTO schema_migrations (name, checksum) VALUES", row)
        return [migration.name for migration in pending]
    finally:
        client.disconnect()


def check_migrated(where: ClickHouse) -> None:
    """Raise SettingsError unless the database has every migration; UnavailableError if nobody answers."""
    client = connect(where)
    try:
        with translated(where):
            pending = _pending(client, where, MIGRATIONS)
    finally:
        client.disconnect()
    if pending:
        raise SettingsError(f"{address(where)} lacks migration {pending[0].name}: run `touchline migrate`")


def read_migrations(directory: Path) -> list[Migration]:
    """The migrations of a directory in order. Raises SettingsError if a file or the numbering is wrong."""
    found: list[Migration] = []
    last = 0
    for path in sorted(directory.glob("*.sql")):
        if not _FILE.fullmatch(path.name) or int(path.name[:4]) <= last:
            raise SettingsError(
                f"{path} must be named {last + 1:04d}_what_it_does.sql: migrations count up from 0001"
            )
        last = int(path.name[:4])
        text = path.read_text()
        found.append(Migration(path.name, sha256(text.encode()).hexdigest(), _statements(text)))
    return found


def _statements(text: str) -> tuple[str, ...]:
    """Statements end with a semicolon at the end of a line."""
    code = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return tuple(part.strip() for part in re.split(r";\s*$", code, flags=re.MULTILINE) if part.strip())


def _credentials(where: ClickHouse) -> str:
    """The user that migrates, for a dictionary's source. The server stores it and shows it to nobody."""
    user, password = (text.replace("\\", "\\\\").replace("'", "\\'") for text in (where.user, where.password))
    return f"USER '{user}' PASSWORD '{password}'"


def _create_database(where: ClickHouse) -> None:
    """Create the database unless it exists: a user without the right to create one may still migrate it."""
    if not IDENTIFIER.fullmatch(where.database):
        raise SettingsError(
            "the database name in TOUCHLINE_CLICKHOUSE_URL may hold letters, digits and _ only"
        )
    client = connect(where, use=False)
    try:
        with translated(where):
            if not client.execute(
                "SELECT 1 FROM system.databases WHERE name = %(name)s", {"name": where.database}
            ):
                client.execute(f"CREATE DATABASE IF NOT EXISTS {where.database}")
    finally:
        client.disconnect()


def _pending(client: Client, where: ClickHouse, directory: Path) -> list[Migration]:
    applied = dict(client.execute("SELECT name, checksum FROM schema_migrations FINAL"))
    pending = []
    for migration in read_migrations(directory):
        checksum = applied.get(migration.name)
        if checksum is None:
            pending.append(migration)
        elif checksum != migration.checksum:
            raise SettingsError(
                f"{directory / migration.name} differs from what {address(where)} has applied: "
                "restore the file and put the change into a new one"
            )
    return pending
