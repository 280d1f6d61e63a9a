"""`touchline restore`: make a deployment of what `touchline backup` saved."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import counted, remark, tell
from deploy.repair.backup.restore import check, restore


def command(
    folder: Annotated[Path, typer.Argument(help="What `touchline backup` made.", metavar="FOLDER")],
    check_only: Annotated[
        bool, typer.Option("--check", help="Only look whether the files are whole; needs no broker.")
    ] = False,
) -> None:
    """Fill new topics from a backup. The workers go on from there, and the loader loads everything that it holds.

    TOUCHLINE_EPOCH must be higher than the backup's, for every process from now on (docs/disaster.md).

    Example: TOUCHLINE_EPOCH=1 touchline restore /backups/2027-01-31
    """
    settings = Context.from_env().settings
    if check_only:
        manifest = check(folder)
    else:
        manifest = restore(settings, folder, lambda name, count: remark(f"{name}: {count:,} records"))
    count = sum(one.records for one in manifest.topics.values())
    what = "are whole" if check_only else "restored"
    tell(f"{counted(count, 'record')} of {counted(len(manifest.topics), 'topic')} {what}")
