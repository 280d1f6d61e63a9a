"""`touchline size`: what a load needs, from measured figures."""

from dataclasses import asdict
from typing import Annotated

import typer

from deploy.cli.output import print_json, print_table, tell
from deploy.sizing.document import rows
from deploy.sizing.model import IDENTIFIERS, Load, size


def command(
    events_per_second: Annotated[
        float, typer.Option(help="Events a second in the busiest hour.", min=0.001, max=10_000_000)
    ],
    profiles: Annotated[int, typer.Option(help="How many people are known.", min=1)],
    retention: Annotated[
        float, typer.Option(help="Days that ClickHouse keeps touchpoints.", min=0.1, max=36_500)
    ] = 365,
    mean: Annotated[
        float | None,
        typer.Option(help="Events a second, day and night; default: a third of the peak.", min=0.001),
    ] = None,
    identifiers: Annotated[
        float, typer.Option(help="Identifiers of a person, those of cookies that are gone too.", min=1)
    ] = IDENTIFIERS.value,
    tenant_share: Annotated[
        float, typer.Option(help="The largest tenant's share of all identifiers.", min=0.0001, max=1)
    ] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say how many partitions, processes, cores, memory and disk a load needs.

    The figures behind it are measured: docs/sizing.md names the command of each. No server is asked.

    Example: touchline size --events-per-second 1000 --profiles 5000000 --retention 365
    """
    load = Load(events_per_second, profiles, retention, mean, identifiers, tenant_share)
    found = size(load)
    if as_json:
        print_json(asdict(load) | asdict(found))
        return
    print_table(("what", "how much"), rows(found))
    for warning in found.warnings:
        tell(f"warning: {warning}")
