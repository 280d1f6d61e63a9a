"""`touchline simulate`: a believable population's touchpoints as JSON Lines."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from deploy.simulation.people import PEOPLE, SEEDS
from deploy.simulation.population import DEFAULT_START_MS, Population, simulate
from schemas.errors import ContractError, TouchlineError
from schemas.keys import NAME_PATTERN
from schemas.touchpoint.json_form import to_iso, to_json, to_ms


def command(
    people: Annotated[int, typer.Option(help="How many customers.", min=1, max=PEOPLE)] = 500,
    events: Annotated[int, typer.Option(help="How many lines, exact duplicates among them.", min=1)] = 20_000,
    seed: Annotated[
        int,
        typer.Option(
            help="Who the people are: two seeds have nobody in common. The same options, the same lines.",
            min=0,
            max=SEEDS - 1,
        ),
    ] = 1,
    days: Annotated[float, typer.Option(help="How long a time they cover.", min=0.001)] = 30.0,
    start: Annotated[str, typer.Option(help="When it begins, ISO 8601.")] = str(to_iso(DEFAULT_START_MS)),
    tenant: Annotated[str, typer.Option(help="Whose customers they are.")] = "default",
    out: Annotated[Path | None, typer.Option(help="A file, instead of standard output.")] = None,
) -> None:
    """Write a simulated population's touchpoints, a pure function of the options, for `touchline publish`.

    Example: touchline simulate --people 500 --events 10000 --seed 1 > events.jsonl
    """
    if not NAME_PATTERN.fullmatch(tenant):
        raise typer.BadParameter("use 1 to 64 of A-Z a-z 0-9 _ . -", param_hint="--tenant")
    try:
        start_ms = to_ms(start, "--start")
    except ContractError as error:
        raise typer.BadParameter(str(error), param_hint="--start") from error
    population = Population(people, events, seed, days, start_ms, tenant)
    lines = (
        json.dumps(to_json(touchpoint), separators=(",", ":")) + "\n" for touchpoint in simulate(population)
    )
    if out is None:
        sys.stdout.writelines(lines)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise TouchlineError(f"{out} cannot be written: {error.strerror}") from error
