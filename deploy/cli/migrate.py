"""`touchline migrate`: ClickHouse's database, tables and views."""

from deploy.cli.output import say
from schemas.catalogue import Catalogue
from schemas.settings import Settings
from sinks.catalogue import store_catalogue
from sinks.migrate import migrate


def command() -> None:
    """Create or update the ClickHouse database, and write the catalogue into it; safe to repeat.

    Example: TOUCHLINE_CLICKHOUSE_URL=clickhouse://user:password@host:9000/touchline touchline migrate
    """
    settings = Settings.from_env()
    catalogue = Catalogue.load(settings.catalogue)
    where = settings.clickhouse()
    applied = migrate(where)
    store_catalogue(where, catalogue)
    for name in applied:
        say(f"applied {name}")
    if not applied:
        say(f"database {where.database} is up to date")
