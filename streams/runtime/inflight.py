"""Fetches in flight: a stopping worker lets its agents finish them and commits them. Queued fetches are read again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any


class InFlightFetches:
    """Counts the fetches that agents have taken and not finished."""

    def __init__(self) -> None:
        self._fetches = 0
        self._none = asyncio.Event()
        self._none.set()

    def track(self, stream: Any) -> "TrackedStream":
        """The same stream of fetches; each fetch counts from the moment an agent takes it until it is finished."""
        return TrackedStream(self, stream)

    async def wait_until_none(self, seconds: float) -> None:
        """Wait until no fetch is in flight, at most this many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), seconds)

    async def events(self, stream: Any) -> AsyncIterator[Any]:
        """The events of a stream. An event is finished when the agent asks for the next one."""
        async for event in stream.events():
            self._fetches += 1
            self._none.clear()
            try:
                yield event
            finally:
                self._fetches -= 1
                if not self._fetches:
                    self._none.set()


class TrackedStream:
    """The part of a Faust stream's interface that Touchline's agents use."""

    def __init__(self, in_flight: InFlightFetches, stream: Any) -> None:
        self._in_flight = in_flight
        self._stream = stream

    def noack(self) -> "TrackedStream":
        """The same stream without Faust's automatic acknowledgement."""
        return TrackedStream(self._in_flight, self._stream.noack())

    def events(self) -> AsyncIterator[Any]:
        """The fetches, counted while they are in flight."""
        return self._in_flight.events(self._stream)

    def take_waiting(self) -> Any | None:
        """A fetch that waits already, None if there is none. It is in flight as long as the one taken before it."""
        return self._stream.take_waiting()

    def is_current(self, event: Any) -> bool:
        """Whether no rebalance has ended since the event was read."""
        return bool(self._stream.is_current(event))
