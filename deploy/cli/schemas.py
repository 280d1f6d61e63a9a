"""`touchline schemas`: check, list and freeze the contracts in `schemas/avro`."""

from typing import Annotated

import typer

from deploy.cli.output import print_rows, remarks, say
from schemas.encoding.compatibility import Mode, carriers, freeze, mode_of, report
from schemas.encoding.registry import NAMES, VERSIONS, committed, current, fingerprint_of
from schemas.topics import ALL

command = typer.Typer(help="The Avro contracts: compatible with what was released?", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@command.command("check")
def check(as_json: AsJson = False) -> int:
    """Check every schema against its committed versions; show the order of rollout. Exits 1 if one fails."""
    reports = [report(name, current()[name], committed(name)) for name in NAMES]
    rows = [
        (found.name, found.mode.value, found.versions, "no" if found.problems else "yes") for found in reports
    ]
    print_rows(("record", "mode", "versions", "compatible"), rows, as_json=as_json)
    if not as_json:
        print_rows(("topic", "upgrade first", "then"), rollout(), as_json=False)
    problems = [problem for found in reports for problem in found.problems]
    for problem in problems:
        remarks.print(f"touchline: {problem}", soft_wrap=True, markup=False)
    return 1 if problems else 0


@command.command("list")
def show(as_json: AsJson = False) -> None:
    """Every record: its fingerprint, its committed versions, the topics that carry it."""
    rows = [
        (
            name,
            fingerprint_of(current()[name]).hex(),
            len(committed(name)),
            mode_of(name).value,
            ", ".join(topic.name for topic in carriers(name)),
        )
        for name in NAMES
    ]
    print_rows(("record", "fingerprint", "versions", "mode", "topics"), rows, as_json=as_json)


@command.command("freeze")
def freeze_all() -> None:
    """Write each changed schema as its next version under schemas/versions, to be committed with it."""
    for name in NAMES:
        path = freeze(name, current()[name], committed(name), VERSIONS)
        say(f"{name}: unchanged" if path is None else f"{name}: wrote {path}")


def rollout() -> list[tuple[str, str, str]]:
    """Per topic, who must run the new version first: readers, so that no reader gets a record it cannot read."""
    return [
        (topic.name, "any order", "any order")
        if all(mode_of(name) is Mode.FULL_TRANSITIVE for name in topic.values)
        else (topic.name, ", ".join(topic.read_by), ", ".join(topic.written_by))
        for topic in ALL
    ]
