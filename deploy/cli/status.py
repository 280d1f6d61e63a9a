"""`touchline status`: how far everything is, once."""

from typing import Annotated

import typer

from deploy.cli.output import print_json, print_table
from deploy.sandbox.status import Status, snapshot
from schemas.errors import UnavailableError
from schemas.settings import Settings


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the lag of each consumer group, rows, profiles, open signals and dead letters.

    Ends with exit code 1 and one sentence when the broker or ClickHouse does not answer.

    Example: touchline status --json
    """
    status = snapshot(Settings.from_env())
    if as_json:
        print_json(status.to_dict())
    elif not status.problems:
        _print(status)
    if status.problems:
        raise UnavailableError("; ".join(status.problems))


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
