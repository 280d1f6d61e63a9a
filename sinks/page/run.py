"""The page as a process: from its settings to its orderly end."""

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from aiohttp import web

from schemas.health import Health, Heartbeat
from schemas.http.connections import address_of
from schemas.settings import Settings
from sinks.clickhouse.read.asking import Asking
from sinks.page import metrics
from sinks.page.access import Access
from sinks.page.assets import Assets
from sinks.page.hub import Hub
from sinks.page.people import People
from sinks.page.reading import Reading
from sinks.page.server import PageServer
from sinks.page.tail import Tail

CHECK_SECONDS: Final = 2.0  #: between two checks that ClickHouse answers
STOP_SECONDS: Final = 3.0  #: for requests under way, when the process ends
#: Lines of a request's head that are longer are refused before anything reads them.
_LINE_BYTES: Final = 8190

log: Final = logging.getLogger("touchline.page")


@dataclass(frozen=True)
class Listening:
    """Where the page listens. A port of 0 takes any that is free."""

    host: str
    port: int


async def run(
    settings: Settings,
    listening: Listening,
    access: Access,
    people: People,
    announce: Callable[[str], None],
    observe: Callable[[Health], object] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT. `announce` gets the address, and `observe` the page's health before that.

    Raises SettingsError for an address that cannot be used, UnavailableError if the charts are not installed. It starts
    without ClickHouse or Kafka: the page says what is away, and shows it when it is back.
    """
    hub, asking = Hub(), Asking(settings.readers_clickhouse())
    server = PageServer(access, Reading(asking, people, hub), hub, Assets())
    runner = web.AppRunner(
        server.application(), access_log=None, shutdown_timeout=STOP_SECONDS, max_line_size=_LINE_BYTES,
        handler_cancellation=True,
    )  # fmt: skip
    listens: asyncio.Server | None = None
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    heartbeat = Heartbeat()
    heartbeat.start(loop)
    observe(Health("page", heartbeat, partial(_waits_for, hub), partial(metrics.refresh, hub)))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    watchers = [asyncio.create_task(Tail(settings, hub).run()), asyncio.create_task(_watch(asking, hub))]
    try:
        await runner.setup()
        listens = await server.connections.listen(runner, listening.host, listening.port)
        announce(f"{address_of(listens)}/")
        await stopped.wait()
    finally:
        if listens is not None:
            listens.close()
        for watcher in watchers:
            watcher.cancel()
        hub.close()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*watchers, return_exceptions=True)
        await runner.cleanup()
        asking.close()


def _waits_for(hub: Hub) -> str:
    return "" if hub.health["clickhouse"] else "ClickHouse does not answer: the page has nothing to show"


async def _watch(asking: Asking, hub: Hub) -> None:
    """Check ClickHouse, for ever; open pages are told when it goes and when it is back."""
    while True:
        well = await asking.answers()
        if well != hub.health["clickhouse"]:
            log.warning("ClickHouse %s", "answers again" if well else "does not answer")
        hub.set_health("clickhouse", well=well)
        await asyncio.sleep(CHECK_SECONDS)
