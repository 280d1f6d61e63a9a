"""`touchline backup`: save all topics of a deployment."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import counted, remark, tell
from deploy.repair.backup.save import save


def command(
    folder: Annotated[Path, typer.Argument(help="A new folder for the files.", metavar="FOLDER")],
) -> None:
    """Save every topic, and where the workers are, while everything runs.

    ClickHouse has backups of its own; keep the pseudonymisation key and your TOML files, too (docs/disaster.md).

    Example: touchline backup /backups/2027-01-31
    """
    context = Context.from_env()
    manifest = save(
        context.settings, folder, context.now, lambda name, count: remark(f"{name}: {count:,} records")
    )
    count = sum(one.records for one in manifest.topics.values())
    tell(f"{counted(count, 'record')} of {counted(len(manifest.topics), 'topic')} saved in {folder}")
