"""Ten minutes without a broker, in seconds: what the collector holds stays bounded, and all it accepted is there.

The event loop's clock runs SCALE times as fast as the wall's, so that every timeout of the collector and every pause of
its clients is the real one.
"""

import asyncio
import os
import selectors
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector

from schemas.http.problems import ProblemError
from streams.collect.limits import Limits
from tests.support.collector_messages import message
from tests.support.collector_serving import Client, serving

SCALE: Final = float(os.environ.get("OUTAGE_SCALE", "150"))
BEFORE, OUTAGE, AFTER = 30.0, 600.0, 60.0  #: seconds
SENDERS: Final = 6
EVENTS: Final = 40  #: of a batch
LIMITS: Final = Limits(pending_bytes=25_000)


class FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / SCALE)


class FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(FastSelector())

    def time(self) -> float:
        return super().time() * SCALE


def run_fast(body: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        runner.run(body)


class Sdk:
    """Sends its batches in order, each until it is taken; waits as Retry-After says."""

    def __init__(self, number: int, session: ClientSession, client: Client, answers: Counter[int]) -> None:
        self._number = number
        self._session = session
        self._client = client
        self._answers = answers
        self.accepted: list[str] = []

    async def run(self, until: float) -> None:
        count = 0
        while asyncio.get_running_loop().time() < until:
            ids = [f"{self._number}-{count}-{event}" for event in range(EVENTS)]
            await self._send(ids)
            self.accepted += ids
            count += 1
            await asyncio.sleep(2)

    async def _send(self, ids: list[str]) -> None:
        batch = {"batch": [message(messageId=one, anonymousId=f"a{self._number}") for one in ids]}
        wait = await self._attempt(batch)
        while wait is not None:
            await asyncio.sleep(wait)
            wait = await self._attempt(batch)

    async def _attempt(self, batch: dict[str, Any]) -> float | None:
        """Post once: None if it was taken, else the seconds to wait."""
        url, headers = f"{self._client.url}/v1/batch", {"Authorization": "Bearer k-shop"}
        try:
            async with self._session.post(url, json=batch, headers=headers) as answer:
                self._answers[answer.status] += 1
                if answer.status == 200:
                    return None
                assert answer.status == 503
                return float(answer.headers["Retry-After"])
        except ClientError:  # the fast clock closes an idle connection while this process waits for its turn
            return 1.0


async def most_held(client: Client) -> int:
    """The most bytes that the intake holds, until it is cancelled."""
    most = 0
    try:
        while True:
            most = max(most, client.intake.pending_bytes)
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return most


def test_in_ten_minutes_of_outage_nothing_grows_all_are_told_to_wait_and_nothing_accepted_is_lost() -> None:
    answers: Counter[int] = Counter()

    async def body() -> None:
        async with serving(LIMITS) as client, ClientSession(connector=TCPConnector(limit=0)) as session:
            loop = asyncio.get_running_loop()
            begin = loop.time()
            watch = asyncio.create_task(most_held(client))
            sdks = [Sdk(number, session, client, answers) for number in range(SENDERS)]
            sending = [asyncio.create_task(sdk.run(begin + BEFORE + OUTAGE + AFTER)) for sdk in sdks]
            await asyncio.sleep(BEFORE)
            client.broker.open.clear()
            await asyncio.sleep(OUTAGE)
            while answers[503] <= 10 * SENDERS:  # noqa: ASYNC110 (a machine so busy that nobody had his turn)
                await asyncio.sleep(10)
            with pytest.raises(ProblemError, match="the broker has acknowledged nothing for"):
                client.intake.require_ready()
            client.broker.open.set()
            await asyncio.gather(*sending)
            watch.cancel()

            assert 0 < await watch <= LIMITS.pending_bytes
            assert client.intake.pending_bytes == 0
            arrived = Counter(one["event_id"] for one in client.broker.touchpoints())
            accepted = [one for sdk in sdks for one in sdk.accepted]
            assert len(accepted) > 0
            assert arrived.keys() == set(accepted)
            # what was answered 503 and reached the broker later is there twice, under one key and id
            keys = {(key, one["event_id"]) for (key, _), one in zip(
                client.broker.records["touchpoints"], client.broker.touchpoints(), strict=True)}  # fmt: skip
            assert len(keys) == len(arrived)

    run_fast(body())
    assert set(answers) == {200, 503}
