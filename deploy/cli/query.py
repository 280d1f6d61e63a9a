"""`touchline query`: SQL for a person."""

from typing import Annotated

import typer

from deploy.cli.output import print_rows
from schemas.settings import Settings
from sinks.query import select


def command(
    sql: Annotated[
        str, typer.Argument(help="One ClickHouse statement; it can read, not write.", metavar="SQL")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Ask ClickHouse: a table, or JSON with --json. Try SHOW TABLES.

    Example: touchline query "SELECT stage, profiles, friction FROM journey_stages ORDER BY profiles DESC"
    """
    columns, rows = select(Settings.from_env().clickhouse(), sql)
    print_rows(columns, rows, as_json=as_json)
