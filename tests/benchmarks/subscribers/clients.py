"""Clients that cost little themselves: look-ups that are due at a rate, and many open streams."""

import asyncio
import time
from collections import Counter
from itertools import count
from typing import Final

_CONNECTIONS: Final = 32
_PATIENCE_SECONDS: Final = 120.0


async def lookups(
    port: int, paths: list[str], rate: float, seconds: float
) -> tuple[list[float], Counter[int]]:
    """Seconds of each look-up, counted from when it was due, and how often which status came."""
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths]
    begin, due = time.monotonic() + 0.2, count()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            number = next(due)
            at = begin + number / rate
            if at >= begin + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            writer.write(requests[number % len(requests)])
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r")[0]))
            statuses[int(head[9:12])] += 1
            latencies.append(time.monotonic() - at)
        writer.close()

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))
    return latencies, statuses


class Streams:
    """Many open streams of one kind; counts events, and remembers when each connection had how many."""

    def __init__(self) -> None:
        self.readers: list[Stream] = []

    async def open(self, port: int, path: str, number: int) -> None:
        """Open so many streams."""
        loop = asyncio.get_running_loop()
        for _ in range(number):
            _, reader = await loop.create_connection(lambda: Stream(path), "127.0.0.1", port)
            self.readers.append(reader)
        await self.until(0)

    async def until(self, events: int) -> list[float]:
        """Wait until each stream had so many events; the times at which they had."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not all(one.begun and one.events >= events for one in self.readers):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return [one.at for one in self.readers]

    def close(self) -> None:
        """Close all."""
        for one in self.readers:
            one.transport.close()


class Stream(asyncio.Protocol):
    """One stream."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.begun = False
        self.events = 0
        self.at = 0.0  #: when the newest event came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.begun = self.begun or b"retry:" in data
        found = data.count(b"\ndata: ")
        if found:
            self.events += found
            self.at = time.monotonic()
