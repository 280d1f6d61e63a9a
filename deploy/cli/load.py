"""`touchline load`: Kafka into ClickHouse."""

import asyncio
import logging
import signal
from importlib.metadata import version
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.logs import configure
from deploy.kafka_admin.meanings import meanings
from deploy.kafka_admin.positions import PositionReader
from deploy.monitoring.server import serve
from schemas.health import Health, Heartbeat
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP
from sinks.clickhouse.write.loader import Loader

log: Final = logging.getLogger("touchline.loader")


def command(
    loglevel: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    log_format: Annotated[
        str, typer.Option(help="text or json; otherwise as TOUCHLINE_LOG_FORMAT says.")
    ] = "",
) -> None:
    """Load every topic into ClickHouse until Ctrl-C or SIGTERM: then what was read is written and committed.

    While ClickHouse is down it waits and loses nothing. Run `touchline topics` and `touchline migrate` first.

    Example: touchline load --loglevel WARNING
    """
    settings = Context.from_env().settings
    configure(loglevel, log_format or settings.log_format)
    log.info(
        "touchline %s: a loader of group %s starts on Kafka at %s",
        version("touchline"), settings.topic(LOADER_GROUP), settings.brokers,
    )  # fmt: skip
    asyncio.run(_load(settings))
    log.info("stopped: what was read is written and committed")


async def _load(settings: Settings) -> None:
    with PositionReader(settings) as positions:
        loader = Loader(settings, meanings(settings), positions.read)
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, loader.stop)
        heartbeat = Heartbeat()
        heartbeat.start(asyncio.get_running_loop())
        serve(
            settings,
            Health("loader", heartbeat, loader.progress.waits_for, loader.progress.refresh),
        )
        await loader.run()
