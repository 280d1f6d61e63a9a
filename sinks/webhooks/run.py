"""The webhooks service as a process: from its settings to its orderly end."""

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from schemas.health import Health, Heartbeat
from schemas.kafka_security import check_connection
from schemas.settings import Settings
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.follower import Follower
from sinks.subscribers.table.store import StateTable
from sinks.webhooks import metrics
from sinks.webhooks.changelog import Partition
from sinks.webhooks.courier import Courier, Sender, wall_ms
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.http_sender import HttpSender
from sinks.webhooks.mail_sender import MailSender
from sinks.webhooks.rendering import Template
from sinks.webhooks.service import Service
from sinks.webhooks.view import NobodyListens, TableView

#: Most of them ask for addresses: a name server that hangs for one endpoint must not keep the others.
_THREADS: Final = 64
_SHOW_SECONDS: Final = 5.0
READY_SECONDS: Final = 30.0  #: age of the view of consent beyond which the service is not ready

log: Final = logging.getLogger("touchline.webhooks")


@dataclass(frozen=True)
class Told:
    """Whom to tell, and how their messages read."""

    endpoints: Mapping[str, Endpoint]
    templates: Mapping[str, Template]


def sender_of(endpoint: Endpoint) -> Sender:
    """What brings messages to an endpoint; close it."""
    return HttpSender(endpoint) if endpoint.mail is None else MailSender(endpoint)


async def run(
    settings: Settings,
    told: Told,
    table_file: Path,
    ready: Callable[[int], None],
    *,
    from_start: bool = False,
    observe: Callable[[Health], object] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` gets the number of partitions whenever the group has shared them out.

    `observe` gets the service's health.

    Raises UnavailableError if Kafka is away or the table's file is in use, SettingsError if that is something else.
    """
    check_connection(settings)
    table = StateTable.open(table_file, Deployment(settings.topic_prefix, settings.epoch))
    if table.rebuilt:
        log.warning("%s", table.rebuilt)
    follower = Follower(settings, table, NobodyListens())
    view = TableView(table, follower)
    heartbeat = Heartbeat()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="webhooks"))
    heartbeat.start(loop)
    observe(Health("webhooks", heartbeat, partial(follower.waits_for, READY_SECONDS)))
    partitions: dict[int, Partition] = {}
    couriers = [
        Courier(endpoint, sender_of(endpoint), told.templates[name], partitions, view)
        for name, endpoint in told.endpoints.items()
    ]
    service = Service(settings, told.endpoints, partitions, couriers, ready=ready, from_start=from_start)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, service.stop)
    beside = [
        asyncio.create_task(one) for one in (follower.run(), _show(view), *(one.run() for one in couriers))
    ]
    for task in beside:
        # none of them ends by itself: if one fails, the process must end, and its supervisor starts it again
        task.add_done_callback(lambda _: service.stop())
    try:
        await service.run()
        for task in beside:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in beside:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*beside, return_exceptions=True)
        for courier in couriers:
            await courier.close()
        table.close()


async def _show(view: TableView) -> None:
    while True:
        metrics.VIEW_SECONDS.set(max(wall_ms() - view.fresh_at(), 0) / 1000)
        await asyncio.sleep(_SHOW_SECONDS)
