"""`touchline worker`: the stream processors."""

import logging
from typing import Annotated

import typer

from deploy.cli.logs import configure
from deploy.ingest.key_check import require_same_key
from schemas.settings import Settings
from streams.identity.policy.load import load
from streams.worker import run


def command(
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run one worker: stitch, identity and journeys. Start as many as you have partitions to share.

    Ends with exit code 0 within 10 seconds of Ctrl-C or SIGTERM, and with 1 and one sentence when it cannot go
    on (a topic is missing, the broker is away): start it again then, as `touchline up` does. Either way nothing
    is lost.

    Example: touchline worker --loglevel WARNING
    """
    configure(loglevel)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = Settings.from_env()
    require_same_key(
        settings, load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)
    )
    run(settings)
