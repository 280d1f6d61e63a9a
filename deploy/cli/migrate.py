"""`touchline migrate`: ClickHouse's database, tables and views."""

from deploy.cli.output import tell
from deploy.kafka_admin.meanings import meanings
from schemas.settings import Settings
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force


def command() -> None:
    """Create or update the ClickHouse database, and write the catalogue into it; safe to repeat.

    Example: TOUCHLINE_CLICKHOUSE_URL=clickhouse://user:password@host:9000/touchline touchline migrate
    """
    settings = Settings.from_env()
    where = settings.clickhouse()
    known = meanings(settings)
    applied = migrate(where)
    for name in applied:
        tell(f"applied {name}")
    if put_in_force(where, known):
        tell("views go by this catalogue and these journey rules now")
    elif not applied:
        tell(f"database {where.database} is up to date")
