"""`touchline worker`: the stream processors."""

from typing import Annotated

import typer

from schemas.settings import Settings
from streams.worker import run


def command(
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run one worker: stitch, identity and journeys. Start as many as you have partitions to share.

    Example: touchline worker --loglevel INFO
    """
    run(Settings.from_env(), loglevel=loglevel)
