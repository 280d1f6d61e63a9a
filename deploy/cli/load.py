"""`touchline load`: Kafka into ClickHouse."""

import asyncio
import signal
from typing import Annotated

import typer

from deploy.cli.logs import configure
from deploy.cli.metrics import serve_metrics
from schemas.settings import Settings
from sinks.loader import Loader


def command(
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Load every topic into ClickHouse until Ctrl-C or SIGTERM: then what was read is written and committed.

    While ClickHouse is down it waits and loses nothing. Run `touchline topics` and `touchline migrate` first.

    Example: touchline load --loglevel INFO
    """
    settings = Settings.from_env()
    configure(loglevel)
    if settings.metrics_port:
        serve_metrics(settings.metrics_port)
    asyncio.run(_load(settings))


async def _load(settings: Settings) -> None:
    loader = Loader(settings)
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, loader.stop)
    await loader.run()
