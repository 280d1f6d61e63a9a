"""Which agents are in the middle of a fetch: at a stop it is finished and committed, what waits is read again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any


class InHand:
    """Counts the fetches that agents have taken and not finished."""

    def __init__(self) -> None:
        self._fetches = 0
        self._none = asyncio.Event()
        self._none.set()

    def watch(self, stream: Any) -> "WatchedStream":
        """The same stream of fetches, counted as they are taken and finished."""
        return WatchedStream(self, stream)

    async def finished(self, seconds: float) -> None:
        """Wait until no agent is in the middle of a fetch, at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), seconds)

    async def events(self, stream: Any) -> AsyncIterator[Any]:
        """The events of a stream; one is finished when the next is asked for."""
        async for event in stream.events():
            self._fetches += 1
            self._none.clear()
            try:
                yield event
            finally:
                self._fetches -= 1
                if not self._fetches:
                    self._none.set()


class WatchedStream:
    """What our agents use of Faust's streams."""

    def __init__(self, in_hand: InHand, stream: Any) -> None:
        self._in_hand = in_hand
        self._stream = stream

    def noack(self) -> "WatchedStream":
        """Do not acknowledge by itself."""
        return WatchedStream(self._in_hand, self._stream.noack())

    def events(self) -> AsyncIterator[Any]:
        """The fetches."""
        return self._in_hand.events(self._stream)
