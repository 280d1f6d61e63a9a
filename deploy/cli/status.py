"""`touchline status`: how far everything is, once."""

from typing import Annotated

import typer

from deploy.cli.output import print_json, print_table, remarks
from deploy.sandbox.status import Status, snapshot
from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.catalogue import misspelt_erasures


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the lag of each consumer group, rows, profiles, open signals and dead letters.

    Warns of touchpoints whose type is nearly erasure_requested: they erased nothing.

    Ends with exit code 1 and one sentence when the broker or ClickHouse does not answer.

    Example: touchline status --json
    """
    settings = Settings.from_env()
    status = snapshot(settings)
    warnings = [] if status.clickhouse_problem else _warnings(settings)
    if as_json:
        print_json({**status.to_dict(), "warnings": warnings})
    elif not status.problems:
        _print(status)
        for warning in warnings:
            remarks.print(f"touchline: {warning}", soft_wrap=True, markup=False)
    if status.problems:
        raise UnavailableError("; ".join(status.problems))


def _warnings(settings: Settings) -> list[str]:
    return [
        f"{count:,} touchpoints of {source} have the type {name!r}, which nobody knows: if they ask for an erasure,"
        " send them again as erasure_requested"
        for name, source, count in misspelt_erasures(settings.clickhouse())
    ]


def _print(status: Status) -> None:
    lags = [
        (group, backlog.topic, f"{backlog.end:,}", f"{backlog.lag:,}")
        for group, backlogs in (status.backlogs or {}).items()
        for backlog in backlogs
    ]
    print_table(("group", "topic", "records", "lag"), lags)
    print_table(("table", "rows"), [(name, f"{rows:,}") for name, rows in status.rows.items()])
    counts = {
        "profiles": status.profiles,
        "open signals": status.open_signals,
        "merges": status.merges,
        "dead letters": status.dead_letters,
    }
    print_table(("", ""), [(name, f"{count:,}") for name, count in counts.items() if count is not None])
