"""`touchline migrate`: ClickHouse's database, tables and views."""

from deploy.cli.output import tell
from deploy.kafka_admin.meanings import meanings
from schemas.settings import Settings
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.retention import days_of, keep
from sinks.clickhouse.write.catalogue import put_in_force


def command() -> None:
    """Create or update the ClickHouse database, and write the catalogue into it; safe to repeat.

    Example: TOUCHLINE_CLICKHOUSE_URL=clickhouse://user:password@host:9000/touchline touchline migrate
    """
    settings = Settings.from_env()
    where = settings.clickhouse()
    known = meanings(settings)
    days_of(settings.retention)  # a mistake in it is told before anything is changed
    applied = migrate(where)
    kept = keep(where, settings.retention)
    for name in applied:
        tell(f"applied {name}")
    for table in kept:
        tell(f"{table} keeps rows as TOUCHLINE_CLICKHOUSE_RETENTION says now")
    if put_in_force(where, known):
        tell("views go by this catalogue and these journey rules now")
    elif not applied and not kept:
        tell(f"database {where.database} is up to date")
