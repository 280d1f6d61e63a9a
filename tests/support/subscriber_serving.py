"""The service of subscribers on loopback, over a table that a test fills; Kafka and ClickHouse are lists."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, web

from schemas.errors import UnavailableError
from schemas.http.hashed_keys import hash_of
from schemas.http.server_log import server_logger
from schemas.records import Identifier
from sinks.subscribers.events import READERS
from sinks.subscribers.history import History
from sinks.subscribers.hub import Hub
from sinks.subscribers.keys import Reader, ReaderKeys, Scope
from sinks.subscribers.limits import Limits
from sinks.subscribers.past import TablePast
from sinks.subscribers.people import People
from sinks.subscribers.requests import Admission
from sinks.subscribers.server import SubscriberServer
from sinks.subscribers.streaming import Streams
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.store import StateTable
from sinks.subscribers.window import Window
from tests.support.kafka_records import Consumed
from tests.support.state_log import PARTITIONS
from tests.support.subscriber_streams import Log

NOW = 1_767_225_600.0
KEYS = {
    "k-all": Reader("all", "default", frozenset(Scope)),
    "k-ids": Reader("ids", "default", frozenset({Scope.STATES})),
    "k-shop": Reader("shop", "shop", frozenset(Scope)),
    "k-slow": Reader("slow", "default", frozenset(Scope), 0.1),
}


class Following:
    """Stands in for the follower and the tail: what they know of Kafka."""

    def __init__(self) -> None:
        self.fresh_at: float | None = None
        self.lag = 0
        self.connected = True
        self.known: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    async def bounds(self, stream: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if stream not in self.known:
            raise UnavailableError("Kafka does not answer now")
        return self.known[stream]


class Rows:
    """Stands in for ClickHouse."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.found: list[dict[str, Any]] | Exception = []

    async def rows(self, _: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(values)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Served:
    """The service under test, and what asks it."""

    def __init__(self, table: StateTable, limits: Limits, open_to: Reader | None) -> None:
        self.table = table
        self.following = Following()
        self.rows = Rows()
        self.windows = {
            stream: Window(limits.window_events, limits.window_bytes, coalesced=stream == "states")
            for stream in ("states", *READERS)
        }
        self.logs = {stream: Log() for stream in READERS}
        self.now = NOW
        self.hub = Hub(self.windows["states"])
        self.streams = Streams(
            self.windows, {"states": TablePast(table), **self.logs}, self.following, self.following, 0, limits,
            clock=lambda: self.now,
        )  # fmt: skip
        keys = ReaderKeys({hash_of(key): reader for key, reader in KEYS.items()}, open_to)
        self.server = SubscriberServer(
            Admission(keys, lambda: self.now), People(table, stored), History(self.rows), self.streams, self.hub,
            self.following, limits, clock=lambda: self.now,
        )  # fmt: skip
        self.session: ClientSession
        self.url = ""

    def take(self, records: Iterable[Consumed]) -> None:
        """What the follower does with a batch."""
        batch = self.table.apply(records)
        known = self.table.positions()
        places = [("journey-states", number) for number in range(PARTITIONS)]
        self.hub.applied(batch, {**dict.fromkeys(places, 0), **known})
        self.following.fresh_at = self.now

    def tell(self, stream: str, profile: str, **facts: str) -> None:
        """What the tail does with a record."""
        log = self.logs[stream]
        self.windows[stream].add([log.append(profile, **facts)], log.ends)

    async def get(self, path: str, key: str | None = "k-all", **headers: str) -> ClientResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        response = await self.session.get(self.url + path, headers=sent)
        await response.read()
        return response

    async def post(self, path: str, body: Any, key: str = "k-all") -> ClientResponse:
        response = await self.session.post(
            self.url + path, json=body, headers={"Authorization": f"Bearer {key}"}
        )
        await response.read()
        return response

    @asynccontextmanager
    async def stream(
        self, path: str, last_id: str | None = None, key: str = "k-all"
    ) -> AsyncIterator["EventStream"]:
        headers = {"Authorization": f"Bearer {key}", **({"Last-Event-ID": last_id} if last_id else {})}
        async with self.session.get(self.url + path, headers=headers) as response:
            assert response.status == 200, await response.text()
            yield EventStream(response)


class EventStream:
    """What an EventSource makes of a stream."""

    def __init__(self, response: ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def next(self) -> tuple[str, Any]:
        """The next event: its name and its data."""
        name, data, seen = "message", "", ""
        async for raw in self._response.content:
            line = raw.decode().rstrip("\n")
            field, _, value = line.partition(": ")
            if field == "id":
                seen = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value
            elif not line:
                self.last_id = seen or self.last_id
                if data:
                    return name, json.loads(data)
                name, seen = "message", ""
        raise EOFError

    async def some(self, count: int) -> list[tuple[str, Any]]:
        return [await self.next() for _ in range(count)]

    async def comment(self) -> str:
        """The next sign of life; takes the id before it."""
        async for raw in self._response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("id: "):
                self.last_id = line[4:]
            if line.startswith(":"):
                return line
        raise EOFError


def stored(_: str, identifier: Identifier) -> Identifier | None:
    """A policy that lowers values and blocks one."""
    if identifier["value"] == "blocked":
        return None
    return {"type": identifier["type"], "value": identifier["value"].lower()}


@asynccontextmanager
async def serving(
    folder: Path, limits: Limits | None = None, open_to: Reader | None = None, *, fresh: bool = True
) -> AsyncIterator[Served]:
    table = StateTable.open(folder / "states.db", Deployment())
    served = Served(table, limits or Limits(), open_to)
    for stream, log in served.logs.items():
        served.windows[stream].open(log.ends)
    if fresh:
        served.take([])
    runner = web.AppRunner(
        served.server.application(),
        access_log=None,
        shutdown_timeout=1,
        handler_cancellation=True,
        logger=server_logger(),
    )
    await runner.setup()
    listening = await served.server.connections.listen(runner, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()[:2]
    served.url = f"http://{host}:{port}"
    async with ClientSession() as session:
        served.session = session
        try:
            yield served
        finally:
            listening.close()
            served.streams.end()
            await runner.cleanup()
            table.close()
