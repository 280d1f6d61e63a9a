"""`touchline migrate`: ClickHouse's database, tables, views and the analyst."""

from typing import Annotated, Literal

import typer

from deploy.cli.output import say, tell
from deploy.kafka_admin.meanings import meanings
from schemas.errors import SettingsError
from schemas.secret_files import read_secret
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.analyst import (
    Analyst,
    make_analyst,
    readable_in,
    user_statements,
    users_xml,
    view_statements,
)
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.erasure.rows import TABLES
from sinks.clickhouse.loader_user import LoaderUser, loader_statements, loader_xml
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.retention import days_of, keep, keep_files
from sinks.clickhouse.write.catalogue import put_in_force

Form = Literal["sql", "xml"]


def command(
    print_analyst: Annotated[
        Form | None,
        typer.Option(
            "--print-analyst",
            help="Only print what makes the read-only user: SQL for an administrator, or a users.xml.",
        ),
    ] = None,
    print_loader: Annotated[
        Form | None,
        typer.Option(
            "--print-loader", help="Only print what makes a user that can load and erase, and nothing else."
        ),
    ] = None,
    loader_user: Annotated[
        str, typer.Option(help="With --print-loader: the name of that user.")
    ] = "touchline_loader",
    loader_password: Annotated[
        str, typer.Option(help="With --print-loader: a file that holds its password.", metavar="@FILE")
    ] = "",
) -> None:
    """Create or update the ClickHouse database, and write the catalogue into it; safe to repeat.

    With TOUCHLINE_ANALYST_USER it also makes that read-only user.

    Example: TOUCHLINE_CLICKHOUSE_URL=clickhouse://user:password@host:9000/touchline touchline migrate
    """
    settings = Settings.from_env()
    where = settings.clickhouse()
    if print_loader is not None:
        loader = LoaderUser(loader_user, read_secret("--loader-password", loader_password))
        of_xml = f"<clickhouse><users>{loader_xml(where.database, loader)}</users></clickhouse>"
        sql = "\n".join(f"{statement};" for statement in loader_statements(where, loader))
        say(sql if print_loader == "sql" else of_xml)
        return
    analyst = Analyst.of(settings)
    if print_analyst is not None:
        say(_printed(print_analyst, where, analyst))
        return
    known = meanings(settings)
    days_of(settings.retention)  # a mistake in it is told before anything is changed
    applied = migrate(where)
    kept = keep(where, settings.retention)
    removed = keep_files(where, TABLES, settings.erased_files_seconds)
    for name in applied:
        tell(f"applied {name}")
    if analyst is not None:
        make_analyst(where, analyst)
        tell(f"user {analyst.user} may read {', '.join(analyst.tenants) or 'all tenants'}")
    for table in kept:
        tell(f"{table} keeps rows as TOUCHLINE_CLICKHOUSE_RETENTION says now")
    if removed:
        tell(
            f"files of deleted rows leave the disk of ClickHouse after {settings.erased_files_seconds} s now"
        )
    if put_in_force(where, known):
        tell("views go by this catalogue and these journey rules now")
    elif not (applied or kept or removed):
        tell(f"database {where.database} is up to date")


def _printed(form: Form, where: ClickHouse, analyst: Analyst | None) -> str:
    if analyst is None:
        raise SettingsError(
            "TOUCHLINE_ANALYST_USER is not set: name the read-only user, and give it a password"
        )
    client = connect(where)
    try:
        with translated(where):
            readable = readable_in(client, where.database)
    finally:
        client.disconnect()
    if form == "xml":
        return users_xml([analyst], where.database, readable)
    statements = (
        *view_statements(where, readable),
        *user_statements(where, analyst, readable),
    )
    return "\n".join(f"{statement};" for statement in statements)
