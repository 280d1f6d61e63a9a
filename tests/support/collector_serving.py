"""A collector on loopback whose broker is a list, and which acknowledges when it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, ClientSession
from aiokafka.errors import KafkaError

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import DEAD_LETTER, TOUCHPOINT
from schemas.http.hashed_keys import hash_of
from schemas.settings import Settings
from schemas.tracing.tracer import Tracer
from streams.collect.intake import Intake
from streams.collect.keys import WriteKey, WriteKeys
from streams.collect.limits import Limits
from streams.collect.mapping_file import built_in
from streams.collect.senders import Sender
from streams.collect.server import Collector
from streams.identity.policy.load import load
from streams.runtime.publisher import Headers, Outbox
from tests.support.touchpoints import START

SECRET = "0123456789abcdef" * 4


class Broker:
    """Stands in for the producer: records are there once it is open, and `fails` is what it raises."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[bytes, bytes]]] = {}
        self.headers: dict[str, list[Headers | None]] = {}  #: of the same records
        self.connections = 0
        self.open = asyncio.Event()
        self.open.set()
        self.fails: KafkaError | None = None

    async def start(self) -> None:
        if self.fails is not None:
            raise self.fails
        self.connections += 1

    async def stop(self) -> None:
        pass

    async def partitions(self, topics: tuple[str, ...]) -> dict[str, int]:
        return dict.fromkeys(topics, 4)

    async def publish(self, outbox: Outbox) -> None:
        await self.open.wait()
        if self.fails is not None:
            raise self.fails
        for (topic, _), records in outbox.records.items():
            self.records.setdefault(topic, []).extend((key, value) for key, value, _ in records)  # type: ignore[misc]
            self.headers.setdefault(topic, []).extend(headers for _, _, headers in records)

    def touchpoints(self) -> list[Any]:
        return [TOUCHPOINT.decode(value) for _, value in self.records.get("touchpoints", [])]

    def letters(self) -> list[Any]:
        return [DEAD_LETTER.decode(value) for _, value in self.records.get("dead-letters", [])]


class Client:
    """Sends to the collector under test."""

    def __init__(self, session: ClientSession, url: str, broker: Broker, intake: Intake) -> None:
        self.session = session
        self.url = url
        self.broker = broker
        self.intake = intake
        self.time = 0.0  #: what the collector's monotonic clock shows
        self.wall = START  #: its wall clock

    async def post(
        self, path: str, json: Any = None, *, key: str | None = "k-shop", **options: Any
    ) -> ClientResponse:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        if json is not None:
            options["json"] = json
        response = await self.session.post(self.url + path, headers=headers, **options)
        await response.read()
        return response

    async def get(self, path: str) -> ClientResponse:
        response = await self.session.get(self.url + path)
        await response.read()
        return response


def write_keys() -> WriteKeys:
    return WriteKeys(
        {
            hash_of("k-shop"): WriteKey(Sender("shop", "default", "web-shop"), built_in()),
            hash_of("k-acme"): WriteKey(Sender("acme", "acme", "crm", "backoffice"), built_in()),
            hash_of("k-slow"): WriteKey(Sender("slow", "default", "slow"), built_in(), events_per_second=1),
            hash_of("k-page"): WriteKey(
                Sender("page", "default", "page"), built_in(), origins=("https://shop.example",)
            ),
        }
    )


@asynccontextmanager
async def serving(
    limits: Limits | None = None,
    keys: WriteKeys | None = None,
    tls: ssl.SSLContext | None = None,
    tracer: Tracer | None = None,
) -> AsyncIterator[Client]:
    """A collector with a broker of its own; both clocks stand still."""
    limits = limits or Limits()
    broker = Broker()
    intake = Intake(Settings(), limits, connect=lambda: broker)  # type: ignore[arg-type,return-value]
    await intake.start()
    collector = Collector(
        keys or write_keys(),
        load("", SECRET.encode(), "k1"),
        Catalogue.load(""),
        intake,
        limits,
        now=lambda: client.wall,
        clock=lambda: client.time,
        tracer=tracer,
    )
    runner = collector.runner()
    await runner.setup()
    server = await collector.connections.listen(runner, "127.0.0.1", 0, tls)
    host, port = server.sockets[0].getsockname()
    async with ClientSession() as session:
        client = Client(session, f"http://{host}:{port}", broker, intake)
        try:
            yield client
        finally:
            broker.open.set()
            server.close()
            await runner.cleanup()
            await intake.stop()
