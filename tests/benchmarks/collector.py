"""The collector beside its HTTP server alone: events per CPU second, latency at half load, memory in an outage.

python -m tests.benchmarks.collector --seconds 5 --outage 60
"""

import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from aiohttp import web

from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import Broker, Process
from schemas.settings import Settings
from tests.benchmarks.brokers import BROKERS
from tests.benchmarks.processes import cpu_seconds, peak_mib
from tests.integration.parts import TOUCHLINE

CONNECTIONS: Final = 16
BATCH: Final = 100
ANSWER: Final = b'{"success":true}'
_ids: Final = count()

Body = Callable[[], bytes]


def one_touchpoint() -> bytes:
    """A plain JSON touchpoint."""
    number = next(_ids)
    return json.dumps(
        {
            "event_id": f"b-{number}", "occurred_at": 1_767_225_600_000 + number, "source": "bench", "channel": "web",
            "type": "product_view",
            "identifiers": {"cookie": f"ck-{number % 5000}", "email": f"p{number % 5000}@example.com"},
            "attributes": {"sku": f"A{number % 100}", "colour": "red"},
        }
    ).encode()  # fmt: skip


def segment_batch() -> bytes:
    """A hundred messages as a Segment library sends them, of some 400 bytes each."""
    return json.dumps(
        {"batch": [_message() for _ in range(BATCH)], "sentAt": "2026-01-01T00:00:00Z"}
    ).encode()


def _message() -> dict[str, Any]:
    number = next(_ids)
    return {
        "type": "track", "event": "Product Viewed", "messageId": f"b-{number}", "userId": f"u{number % 5000}",
        "anonymousId": f"a{number % 5000}", "timestamp": "2026-01-01T00:00:00.000Z",
        "properties": {"sku": f"A{number % 100}", "price": 19.99, "currency": "EUR", "category": "shoes"},
        "context": {"page": {"path": "/p", "title": "Shoes"}, "library": {"name": "analytics.js", "version": "5.2.0"}},
    }  # fmt: skip


#: Name → path, body and events of a request.
WORK: Final[dict[str, tuple[str, Body, int]]] = {
    "one touchpoint a request": ("/v1/touchpoints", one_touchpoint, 1),
    f"Segment batches of {BATCH}": ("/v1/batch", segment_batch, BATCH),
}


class Load:
    """Requests over a few connections that stay open; `statuses` counts the answers."""

    def __init__(self, port: int, path: str, bodies: list[bytes]) -> None:
        self._port = port
        self._head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        self._bodies = bodies
        self._next = count()
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []

    async def closed(self, seconds: float) -> None:
        """As fast as answers come."""
        end = time.monotonic() + seconds

        async def work(connection: "Connection") -> None:
            while time.monotonic() < end:
                self.statuses[await connection.post(self._request())] += 1

        await self._with_connections(CONNECTIONS, work)

    async def paced(self, seconds: float, rate: float) -> None:
        """On time, whether or not the earlier ones were answered: a latency counts from when it was due."""
        begin = time.monotonic()
        due = count()

        async def work(connection: "Connection") -> None:
            while (at := begin + next(due) / rate) < begin + seconds:
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                self.statuses[await connection.post(self._request())] += 1
                self.latencies.append(time.monotonic() - at)

        await self._with_connections(4 * CONNECTIONS, work)

    def _request(self) -> bytes:
        body = self._bodies[next(self._next) % len(self._bodies)]
        return f"{self._head}{len(body)}\r\n\r\n".encode() + body

    async def _with_connections(self, number: int, work: Callable[["Connection"], Any]) -> None:
        connections = [await Connection.open(self._port) for _ in range(number)]
        await asyncio.gather(*(work(connection) for connection in connections))
        for connection in connections:
            connection.writer.close()


class Connection:
    """One HTTP connection, without a client library's cost."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, request: bytes) -> int:
        """The status of the answer."""
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
        await self.reader.readexactly(length)
        return int(head[9:12])


def measure(pid: int, port: int, work: str, seconds: float, alone: bool) -> dict[str, Any]:
    """What one server does of one kind of work."""
    path, body, events = WORK[work]
    bodies = [body() for _ in range(20_000 // events)]
    asyncio.run(Load(port, path, bodies).closed(1))  # warm
    load, before, began = Load(port, path, bodies), cpu_seconds(pid), time.monotonic()
    asyncio.run(load.closed(seconds))
    requests, cpu, wall = load.statuses.total(), cpu_seconds(pid) - before, time.monotonic() - began
    found = {
        "server": "aiohttp alone" if alone else "collector",
        "work": work,
        "requests a second": round(requests / wall),
        "events a second": round(requests * events / wall),
        "requests a CPU second": round(requests / cpu),
        "events a CPU second": round(requests * events / cpu),
        "statuses": dict(load.statuses),
    }
    if not alone:
        half = Load(port, path, bodies)
        asyncio.run(half.paced(seconds, requests / wall / 2))
        cuts = statistics.quantiles(half.latencies, n=100)
        found |= {
            "half load, p50 ms": round(cuts[49] * 1000, 1),
            "half load, p99 ms": round(cuts[98] * 1000, 1),
        }
    return found


def outage(broker_pid: int, pid: int, port: int, seconds: float) -> dict[str, Any]:
    """Stop the broker while batches go on coming; what the collector holds, says and does afterwards."""
    path, body, _ = WORK[f"Segment batches of {BATCH}"]
    bodies = [body() for _ in range(200)]
    before = peak_mib(pid)
    load = Load(port, path, bodies)
    os.kill(broker_pid, signal.SIGSTOP)
    try:
        asyncio.run(load.closed(seconds))
    finally:
        os.kill(broker_pid, signal.SIGCONT)
    after = Load(port, path, bodies)
    deadline = time.monotonic() + 60
    while after.statuses[200] == 0 and time.monotonic() < deadline:
        asyncio.run(after.closed(0.5))
    return {
        "seconds": seconds,
        "batches offered": load.statuses.total(),
        "MiB offered": round(load.statuses.total() * len(bodies[0]) / 2**20),
        "statuses meanwhile": dict(load.statuses),
        "peak MiB before": before,
        "peak MiB after": peak_mib(pid),
        "takes again": after.statuses[200] > 0,
    }


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")


def bare(port: int) -> None:
    """The HTTP server alone: reads a body and answers."""
    app = web.Application(client_max_size=2**24)
    for path, _, _ in WORK.values():
        app.router.add_post(path, _answer)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=lambda _: None)


@contextmanager
def running(name: str, command: list[str], port: int, folder: Path, env: dict[str, str]) -> Iterator[Process]:
    """A server that listens."""
    process = Process(name, command, folder / f"{name}.log", env)
    process.start()
    try:
        for _ in range(200):
            try:
                asyncio.run(Connection.open(port))
                break
            except OSError:
                assert process.alive, process.log_tail(20)
                time.sleep(0.1)
        yield process
    finally:
        process.stop()


def main(
    seconds: Annotated[float, typer.Option(help="Of each measurement.")] = 5.0,
    outage_seconds: Annotated[float, typer.Option("--outage", help="0 for none.")] = 60.0,
    broker: Annotated[str, typer.Option(help="sandbox or kafka.")] = "sandbox",
    bare_port: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Print one JSON object a measurement."""
    if bare_port:
        bare(bare_port)
        return
    folder = Path(tempfile.mkdtemp(prefix="touchline-collector-"))
    kafka: Broker = BROKERS[broker](folder)
    kafka.start()
    try:
        settings = Settings(
            brokers=kafka.address, partitions=4, idempotent_producer=int(kafka.idempotent),
            pseudonym_key="0123456789abcdef" * 4,
        )  # fmt: skip
        create_topics(settings)
        port = free_port()
        command = [sys.executable, "-m", "tests.benchmarks.collector", "--bare-port", str(port)]
        with running("bare", command, port, folder, {}) as process:
            for work in WORK:
                print(json.dumps(measure(process.pid, port, work, seconds, alone=True)), flush=True)
        port = free_port()
        command = [*TOUCHLINE, "collect", "--open", "--port", str(port)]
        with running("collector", command, port, folder, settings.to_env()) as process:
            for work in WORK:
                print(json.dumps(measure(process.pid, port, work, seconds, alone=False)), flush=True)
            if outage_seconds:
                print(json.dumps(outage(kafka.process.pid, process.pid, port, outage_seconds)), flush=True)
    finally:
        kafka.stop()


if __name__ == "__main__":
    typer.run(main)
