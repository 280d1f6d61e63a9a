"""The service as a process: from its settings to its orderly end."""

import asyncio
import gc
import signal
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from schemas.errors import SettingsError
from schemas.health import Health, Heartbeat
from schemas.http.server_log import server_logger
from schemas.kafka_security import check_connection
from schemas.settings import Settings
from sinks.clickhouse.read.asking import Asking
from sinks.subscribers import metrics
from sinks.subscribers.events import READERS
from sinks.subscribers.history import History
from sinks.subscribers.hub import Hub
from sinks.subscribers.keys import ReaderKeys
from sinks.subscribers.limits import Limits
from sinks.subscribers.past import KafkaPast, Past, TablePast
from sinks.subscribers.people import People, StoredForm
from sinks.subscribers.requests import Admission
from sinks.subscribers.server import SubscriberServer
from sinks.subscribers.streaming import Streams
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.follower import Follower
from sinks.subscribers.table.store import StateTable
from sinks.subscribers.tail import Tail
from sinks.subscribers.window import Window

STOP_SECONDS: Final = 3.0  #: for requests under way, when the process ends
_MEASURE_SECONDS: Final = 1.0
#: For which another thread may hold Python's lock while a request wants it. Each question to the table gives the lock
#: away, so that with Python's 5 ms a look-up beside one busy thread would take several times that.
_SWITCH_SECONDS: Final = 0.0005
#: What the streams keep in memory is many objects and no cycles: to look for cycles in all of it takes tens of ms.
_THRESHOLDS: Final = (20_000, 20, 100)
_LINE_BYTES: Final = 8190  #: of a request's head; longer ones are refused before anything reads them


@dataclass(frozen=True)
class Listening:
    """Where the service listens. A port of 0 takes any that is free."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None  #: None: plain HTTP


async def run(
    settings: Settings, listening: Listening, table: Path, keys: ReaderKeys, stored_form: StoredForm,
    say: Callable[[str], None], limits: Limits | None = None, observe: Callable[[Health], object] = lambda _: None,
) -> None:  # fmt: skip
    """Serve until SIGTERM or SIGINT. `say` gets the address, and that the service has caught up; `observe` its health.

    Raises SettingsError for an address or a file that cannot be used, UnavailableError if another process has the
    table, sqlite3.Error if it can be written no more. It starts without Kafka and ClickHouse.
    """
    check_connection(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*_THRESHOLDS)
    limits = limits or Limits()
    states = StateTable.open(table, Deployment(settings.topic_prefix, settings.epoch))
    if states.rebuilt:
        say(states.rebuilt)
    asking = Asking(settings.readers_clickhouse())
    service = _Service(settings, limits, states, asking, keys, stored_form)
    heartbeat = Heartbeat()
    heartbeat.start(asyncio.get_running_loop())
    observe(Health("serve", heartbeat, partial(service.follower.waits_for, limits.fresh_seconds)))
    runner = web.AppRunner(
        service.server.application(), access_log=None, shutdown_timeout=STOP_SECONDS, max_line_size=_LINE_BYTES,
        handler_cancellation=True, logger=server_logger(),
    )  # fmt: skip
    server: asyncio.Server | None = None
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    watchers = [
        asyncio.create_task(work)
        for work in (
            service.follower.run(),
            service.tail.run(),
            _observe(service.follower, say),
            stopped.wait(),
        )
    ]
    try:
        server = await _listen(service.server, runner, listening, say)
        done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()  # the table cannot be written, or a bug: the process ends, and its supervisor starts it again
    finally:
        if server is not None:
            server.close()
        service.streams.end()
        for watcher in watchers:
            watcher.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*watchers, return_exceptions=True)
        await runner.cleanup()
        asking.close()
        states.close()


class _Service:
    """The parts of the service, put together."""

    def __init__(
        self, settings: Settings, limits: Limits, table: StateTable, asking: Asking, keys: ReaderKeys,
        stored_form: StoredForm,
    ) -> None:  # fmt: skip
        windows = {
            stream: Window(limits.window_events, limits.window_bytes, coalesced=stream == "states")
            for stream in ("states", *READERS)
        }
        turn = asyncio.Semaphore(limits.catching_up)
        pasts: dict[str, Past] = {
            "states": TablePast(table), **{stream: KafkaPast(settings, stream, turn) for stream in READERS},
        }  # fmt: skip
        hub = Hub(windows["states"])
        self.follower = Follower(settings, table, hub)
        self.tail = Tail(settings, {stream: windows[stream] for stream in READERS})
        self.streams = Streams(windows, pasts, self.tail, self.follower, settings.epoch, limits)
        self.server = SubscriberServer(
            Admission(keys, time.monotonic), People(table, stored_form), History(asking), self.streams, hub,
            self.follower, limits,
        )  # fmt: skip


async def _listen(
    served: SubscriberServer, runner: web.AppRunner, listening: Listening, say: Callable[[str], None]
) -> asyncio.Server:
    await runner.setup()
    try:
        server = await served.connections.listen(runner, listening.host, listening.port, listening.tls)
    except OSError as error:
        raise SettingsError(
            f"{listening.host}:{listening.port} cannot be listened on ({error.strerror}): name another --port"
        ) from error
    host, port = server.sockets[0].getsockname()[:2]
    scheme = "https" if listening.tls else "http"
    say(f"subscribers: {scheme}://{f'[{host}]' if ':' in host else host}:{port}")
    return server


async def _observe(follower: Follower, say: Callable[[str], None]) -> None:
    """Measure how far behind the table is, for ever; say it once when it has caught up."""
    said = False
    while True:
        metrics.LAG.set(follower.lag)
        metrics.REJECTED.set(follower.rejected)
        if follower.fresh_at is not None:
            metrics.AGE.set(max(time.time() - follower.fresh_at, 0))
            if not said:
                say("caught up: people are found now")
                said = True
        await asyncio.sleep(_MEASURE_SECONDS)
