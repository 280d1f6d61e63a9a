"""`touchline worker`: the stream processors."""

from functools import partial
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.logs import configure
from deploy.ingest.key_check import require_same_key
from deploy.monitoring.server import serve
from streams.worker import run


def command(
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_format: Annotated[
        str, typer.Option(help="text or json; otherwise as TOUCHLINE_LOG_FORMAT says.")
    ] = "",
) -> None:
    """Run one worker: stitch, identity and journeys. Start as many as you have partitions to share.

    Ends with exit code 0 within 10 seconds of Ctrl-C or SIGTERM, and with 1 and one sentence when it cannot go
    on (a topic is missing, the broker is away): start it again then, as `touchline up` does. Either way nothing
    is lost.

    Example: touchline worker --loglevel WARNING
    """
    context = Context.from_env()
    configure(loglevel, log_format or context.settings.log_format)
    require_same_key(context.settings, context.policy)
    run(context.settings, partial(serve, context.settings))
