"""`touchline doctor`: what is wrong with a deployment, and how to mend it."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import counted, print_json, print_rows, tell
from deploy.cli.status import MAX_LAG
from deploy.cli.topics import principals_of
from deploy.repair.doctor.examine import examine
from deploy.repair.doctor.process_checks import addresses


def command(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: each check with its findings.")
    ] = False,
    max_lag: Annotated[
        int, typer.Option(help="Records that a consumer group may be behind.", min=0)
    ] = MAX_LAG,
    principal: Annotated[
        list[str] | None,
        typer.Option(
            help="Who logs in to Kafka as a process, like worker=User:CN=tl-worker.",
            metavar="PROCESS=PRINCIPAL",
        ),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            help="JSON file of targets, as Prometheus reads it: each process is asked what it goes by.",
            metavar="FILE",
        ),
    ] = None,
) -> int:
    """Look at settings, policy, Kafka, ClickHouse and the registry; say what is wrong and how to mend it.

    It changes nothing. Exit code 1 if there is a fault; warnings alone are 0. With the targets of Prometheus it asks
    each process for its health, release, policy, catalogue and rules.

    Examples: touchline doctor · touchline doctor --targets prometheus-targets.json
    """
    found = examine(
        Context.from_env().settings, max_lag, principals_of(principal), addresses(targets) if targets else ()
    )
    if as_json:
        print_json(found.to_dict())
    elif found.findings:
        rows = [(one.severity.value, one.check, one.what, one.mend) for one in found.findings]
        print_rows(("", "check", "what is wrong", "how to mend it"), rows, as_json=False)
    if not as_json:
        tell(f"{counted(len(found.made), 'check')} made, {counted(len(found.findings), 'finding')}")
    return 1 if found.ill else 0
