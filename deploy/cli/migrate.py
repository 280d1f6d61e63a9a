"""`touchline migrate`: ClickHouse's database, tables and views."""

from deploy.cli.output import say
from schemas.settings import Settings
from sinks.migrate import migrate


def command() -> None:
    """Create or update the ClickHouse database; safe to repeat.

    Example: TOUCHLINE_CLICKHOUSE_URL=clickhouse://user:password@host:9000/touchline touchline migrate
    """
    where = Settings.from_env().clickhouse()
    applied = migrate(where)
    for name in applied:
        say(f"applied {name}")
    if not applied:
        say(f"database {where.database} is up to date")
