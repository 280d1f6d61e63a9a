"""`touchline status`: one status reading."""

import sys
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.output import print_json, print_table, remark
from deploy.kafka_admin.health import check
from deploy.kafka_admin.status import Status, snapshot
from schemas.settings import Settings
from sinks.clickhouse.erasure.receipts import unfinished
from sinks.clickhouse.write.catalogue import misspelt_erasures

MAX_LAG: Final = 10_000  #: records: a second or two of one worker's work


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    health: Annotated[
        bool,
        typer.Option("--check", help="A health probe: also a group that nobody runs and lag are problems."),
    ] = False,
    max_lag: Annotated[
        int, typer.Option(help="With --check: records that a group may be behind.", min=0)
    ] = MAX_LAG,
) -> None:
    """Show the lag of each consumer group, rows, profiles, open signals and dead letters.

    Ends with exit code 1, and a sentence for each problem on standard error, when the broker or ClickHouse does not
    answer or topics or tables are missing; with --check also when nobody runs a consumer group or one lags too far.
    Warns of erasures that wait, and of touchpoints whose type is nearly erasure_requested: they erased nothing.

    Examples: touchline status --json · touchline status --check --max-lag 5000
    """
    settings = Context.from_env().settings
    status = snapshot(settings)
    problems = check(settings, status, max_lag) if health else status.problems
    warnings = [] if status.clickhouse_problem else _warnings(settings)
    if as_json:
        print_json(status.to_dict() | {"problems": problems, "warnings": warnings})
    elif not status.problems:
        _print(status)
        for warning in warnings:
            remark(f"touchline: {warning}")
    for problem in problems:
        sys.stderr.write(f"touchline: {problem}\n")
    if problems:
        raise typer.Exit(1)


def _warnings(settings: Settings) -> list[str]:
    waiting = [
        f"the erasure {receipt.request_id} waits for {receipt.waits_for}"
        for receipt in unfinished(settings.clickhouse())
    ]
    return waiting + [
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
