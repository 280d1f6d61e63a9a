"""Nothing that is read beside a seek is processed out of order, and nothing that is read again is dropped."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import faust
from faust.types import TP

from streams.runtime.fetches import FetchConsumer, FetchTransport

HERE = TP("journey-inputs", 0)


def record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=0, timestamp_type=0)


class Consumer(FetchConsumer):
    """Faust's consumer on a log of ten records, of which none is committed. A seek ends when the test says so."""

    flow_active = True

    def __init__(self) -> None:
        async def _nothing(*_: Any, **__: Any) -> None: ...

        app = faust.App("test", broker="kafka://nobody", loop=asyncio.get_running_loop())
        app.consumer_generation_id = 1
        transport = FetchTransport(app.conf.broker_consumer, app)
        self.delivered: list[int] = []
        self.position = 5  # from before the seek
        self.may_seek = asyncio.Event()
        super().__init__(
            transport, self._deliver, on_partitions_revoked=_nothing, on_partitions_assigned=_nothing
        )

    def _new_consumer_thread(self) -> Any:
        return SimpleNamespace(beacon=None, seek_to_beginning=self._to_beginning)

    def assignment(self) -> set[TP]:
        return {HERE}

    def highwater(self, tp: TP) -> int:  # noqa: ARG002
        return 10

    async def seek_to_committed(self) -> Mapping[TP, int]:
        await self.may_seek.wait()
        await asyncio.sleep(0)
        return {}

    async def _to_beginning(self, *_: Any) -> None:
        self.position = 0

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ARG002, ASYNC109
        first, self.position = self.position, min(self.position + 2, 10)
        await asyncio.sleep(0)
        return {HERE: [record(offset) for offset in range(first, self.position)]}, None

    async def _deliver(self, message: Any) -> None:
        self.delivered += [record.offset for record in message.value]

    async def read(self) -> list[int]:
        """The offsets of one read."""
        return [record.offset async for _, message in self.getmany(1.0) for record in message.value]

    async def drain(self, reads: int) -> None:
        """Deliver as many reads as Faust does it, with a whole seek inside the delivery of the first."""
        getmany, stop = self.getmany, asyncio.Event()

        async def counted(timeout: float) -> AsyncIterator[Any]:  # noqa: ASYNC109
            nonlocal reads
            reads -= 1
            if not reads:
                stop.set()
            async for found in getmany(timeout):
                yield found

        async def deliver(message: Any) -> None:
            await self._deliver(message)
            if not self.may_seek.is_set():
                self.may_seek.set()
                await self.perform_seek()

        self.getmany, self.callback = counted, deliver  # type: ignore[method-assign]
        await self._drain_messages(SimpleNamespace(_stopped=stop))


def test_what_is_read_while_a_seek_is_under_way_is_read_again_from_where_the_seek_leads() -> None:
    async def run() -> list[list[int]]:
        consumer = Consumer()
        seek = asyncio.ensure_future(consumer.perform_seek())
        await asyncio.sleep(0)
        reading = asyncio.ensure_future(consumer.read())
        for _ in range(5):
            await asyncio.sleep(0)
        consumer.may_seek.set()
        await seek
        return [await reading, await consumer.read(), await consumer.read()]

    assert asyncio.run(run()) == [[], [0, 1], [2, 3]]


def test_a_read_that_began_during_a_seek_is_stale_after_its_end() -> None:
    async def run() -> list[list[int]]:
        consumer = Consumer()
        consumer.may_seek.set()
        seek = asyncio.ensure_future(consumer.perform_seek())
        reading = asyncio.ensure_future(consumer.read())
        return [await reading, await seek or [], await consumer.read()]

    assert asyncio.run(run()) == [[], [], [0, 1]]


def test_a_delivery_across_a_seek_does_not_hide_what_is_read_again() -> None:
    async def run() -> list[int]:
        consumer = Consumer()
        await consumer.drain(reads=6)
        return consumer.delivered

    assert asyncio.run(run()) == [5, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
