"""A TCP proxy that can refuse, cut, stall and delay, and swallow a server's answers; in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from deploy.ports import LOOPBACK, free_port
from tests.faults.requests import Find

CHUNK = 64 * 1024


@dataclass
class _Catch:
    """The next requests to meet with a fault."""

    find: Find
    left: int  #: so many more
    share: float | None  #: of the body that is let through before the cut; None: the answer is lost


@dataclass(eq=False)
class _Link:
    """One client, connected to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    cut_after: int | None = None  #: bytes of its request that are let through yet
    losing: bool = False  #: whether the next answer is lost, and the connection with it

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Forwards a local port to 127.0.0.1:`target`, and another to its second port, if it has one.

    Its methods may be called from any thread.
    """

    def __init__(self, target: int = 0, port: int = 0, second_target: int = 0) -> None:
        self.target = target
        self.port = port or free_port()
        self.second_target = second_target
        self.second_port = free_port() if second_target else 0
        self._open = True
        self._flowing: asyncio.Event
        self._delay = 0.0
        self._swallowing = False
        self._catch: _Catch | None = None
        self.caught = 0  #: requests that were cut, or that lost their answer
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._ready = threading.Event()

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def calm(self) -> None:
        """Forward everything at once again."""
        self._call(self._calm)

    def refuse(self) -> None:
        """Cut what is connected, and every new connection as soon as it is made."""
        self._call(self._refuse)

    def cut(self) -> None:
        """End the connections that are open; new ones are let through."""
        self._call(self._cut)

    def stall(self) -> None:
        """Keep connections open and forward nothing."""
        self._call(self._flowing.clear)

    def delay(self, seconds: float) -> None:
        """Hold every answer back for so long."""
        self._call(lambda: setattr(self, "_delay", seconds))

    def swallow_answers(self) -> None:
        """Let requests through and their answers disappear, until `calm` or `cut`."""
        self._call(lambda: setattr(self, "_swallowing", True))

    def cut_requests(self, find: Find, count: int, share: float) -> None:
        """Cut the connections of the next `count` such requests when a share (below 1) of the body has passed."""
        self._call(lambda: setattr(self, "_catch", _Catch(find, count, share)))

    def lose_answers(self, find: Find, count: int) -> None:
        """Let the next `count` such requests through, and cut their connections instead of answering."""
        self._call(lambda: setattr(self, "_catch", _Catch(find, count, None)))

    def _call(self, action: Callable[[], object]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(act)
        assert done.wait(10)

    def _calm(self) -> None:
        self._open, self._delay, self._swallowing, self._catch = True, 0.0, False, None
        self._flowing.set()

    def _refuse(self) -> None:
        self._open = False
        self._cut()

    def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._cut()
        for server in self._servers:
            server.close()
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        for port, target in ((self.port, self.target), (self.second_port, self.second_target)):
            if port:
                connect = partial(self._connect, target)
                self._servers.append(await asyncio.start_server(connect, LOOPBACK, port, limit=CHUNK))

    async def _connect(self, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            writer.transport.abort()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(LOOPBACK, target, limit=CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        self._links.add(link)
        pumps: list[Coroutine[Any, Any, None]] = [
            self._requests(reader, link), self._answers(server_reader, link)
        ]  # fmt: skip
        try:
            await asyncio.gather(*pumps)
        finally:
            self._links.discard(link)

    def _look_for_request(self, link: _Link, data: bytes) -> None:
        """Let the request meet with its fault if it is one of those that are to be caught."""
        catch = self._catch
        if catch is None or not catch.left or (found := catch.find(data)) is None:
            return
        head, body = found
        catch.left -= 1
        if catch.share is None:
            link.losing = True
        else:
            link.cut_after = head + int(body * catch.share)

    async def _requests(self, source: asyncio.StreamReader, link: _Link) -> None:
        sink = link.server
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await self._flowing.wait()
                self._look_for_request(link, data)
                if link.cut_after is not None:
                    if len(data) >= link.cut_after:
                        sink.write(data[: link.cut_after])
                        await sink.drain()
                        self.caught += 1
                        link.cut()
                        return
                    link.cut_after -= len(data)
                sink.write(data)
                await sink.drain()
        sink.transport.abort()

    async def _answers(self, source: asyncio.StreamReader, link: _Link) -> None:
        sink = link.client
        with suppress(OSError):
            while data := await source.read(CHUNK):
                await self._flowing.wait()
                if link.losing:
                    self.caught += 1
                    link.cut()
                    return
                if self._delay:
                    await asyncio.sleep(self._delay)
                if not self._swallowing:
                    sink.write(data)
                    await sink.drain()
        sink.transport.abort()
