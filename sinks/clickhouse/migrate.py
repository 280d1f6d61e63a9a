"""Creates tables and views: applies the numbered SQL files of `migrations/` in order, each once.

Every statement is idempotent (IF NOT EXISTS, OR REPLACE). A migration that was interrupted is applied again as a whole.
"""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from schemas.errors import SettingsError
from schemas.settings import ClickHouse
from sinks.clickhouse.cluster import on_cluster
from sinks.clickhouse.connection import address, connect, translated

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: ClickHouse has no parameters for names of databases. Only names of this form are put into a statement.
IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w{0,63}", re.ASCII)

_FILE: Final = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
#: Placeholder in the source of a dictionary, which needs a user and password to read its table.
_CREDENTIALS: Final = "/* credentials */"
_VIEW: Final = re.compile(r"CREATE OR REPLACE VIEW (\w+)")
#: A view that is asked with parameters, within another.
_ASKED: Final = re.compile(r"\b((?:FROM|JOIN) )(\w+)(?=\()")
_JOURNAL: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        name String COMMENT 'The file', checksum String COMMENT 'SHA-256 of the file',
        applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
    )
    ENGINE = ReplacingMergeTree(applied_at) ORDER BY name
    COMMENT 'The files of sinks/clickhouse/migrations that were applied to this database'
"""


@dataclass(frozen=True)
class Migration:
    """One SQL file. `name` is NNNN_what_it_does.sql."""

    name: str
    checksum: str
    statements: tuple[str, ...]


def migrate(where: ClickHouse, directory: Path = MIGRATIONS) -> list[str]:
    """Create the database if it is missing and apply the pending files. Returns the names of the files applied.

    Raises UnavailableError or SinkError as `connect` does; SettingsError if the server refuses the user, or if a file
    has changed since it was applied.
    """
    _create_database(where)
    client = connect(where, {"async_insert": 0})
    try:
        with translated(where):
            client.execute(on_cluster(where, _JOURNAL))
            pending = _pending(client, where, directory)
            views = views_of(read_migrations(directory))
            for migration in pending:
                for statement in migration.statements:
                    named = in_database(statement, where.database, views)
                    client.execute(on_cluster(where, named).replace(_CREDENTIALS, _credentials(where)))
                row = [(migration.name, migration.checksum)]
                client.execute("INSERT INTO schema_migrations (name, checksum) VALUES", row)
        return [migration.name for migration in pending]
    finally:
        client.disconnect()


def check_migrated(where: ClickHouse) -> None:
    """Raise SettingsError if a migration is pending, UnavailableError if the server does not answer."""
    client = connect(where)
    try:
        with translated(where):
            pending = _pending(client, where, MIGRATIONS)
    finally:
        client.disconnect()
    if pending:
        raise SettingsError(f"{address(where)} lacks migration {pending[0].name}: run `touchline migrate`")


def read_migrations(directory: Path) -> list[Migration]:
    """The migrations of a directory in order. Raises SettingsError if a name is malformed or out of order."""
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


def views_of(migrations: Iterable[Migration]) -> frozenset[str]:
    """The names of the views that these migrations create."""
    found = (_VIEW.match(statement) for migration in migrations for statement in migration.statements)
    return frozenset(view[1] for view in found if view)


def in_database(statement: str, database: str, views: Set[str]) -> str:
    """The statement with the database before each view that it asks with parameters; its COMMENT stays as it is.

    ClickHouse puts the database before tables when it stores a view, but not before a view with parameters: who asks
    from another database would not find it.
    """
    code, comment, text = statement.partition("\nCOMMENT '")
    return (
        _ASKED.sub(lambda at: f"{at[1]}{database}.{at[2]}" if at[2] in views else at[0], code)
        + comment
        + text
    )


def _statements(text: str) -> tuple[str, ...]:
    """The statements of a file, without comments. A semicolon at the end of a line ends a statement."""
    code = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return tuple(part.strip() for part in re.split(r";\s*$", code, flags=re.MULTILINE) if part.strip())


def _credentials(where: ClickHouse) -> str:
    """USER and PASSWORD of the migrating user, for a dictionary's source. The server stores and hides them."""
    user, password = (text.replace("\\", "\\\\").replace("'", "\\'") for text in (where.user, where.password))
    return f"USER '{user}' PASSWORD '{password}'"


def _create_database(where: ClickHouse) -> None:
    """Create the database if it is missing. The check comes first, for a user who may not create databases."""
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
                client.execute(on_cluster(where, f"CREATE DATABASE IF NOT EXISTS {where.database}"))
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
