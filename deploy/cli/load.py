"""`touchline load`: Kafka into ClickHouse."""

import asyncio
import signal
from typing import Annotated

import typer
from prometheus_client import start_http_server

from deploy.cli.logs import configure
from deploy.meanings import meanings
from schemas.errors import SettingsError
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
        _serve_metrics(settings.metrics_port)
    asyncio.run(_load(settings))


async def _load(settings: Settings) -> None:
    loader = Loader(settings, meanings(settings))
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, loader.stop)
    await loader.run()


def _serve_metrics(port: int) -> None:
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        raise SettingsError(f"TOUCHLINE_METRICS_PORT {port} cannot be used: {error.strerror}") from error
