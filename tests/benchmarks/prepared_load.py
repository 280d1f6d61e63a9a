"""Simulated events, encoded beforehand and published at a steady rate: the load beside a measurement.

Encoding 5,000 events a second would take half a core from what is being measured.
"""

import asyncio
import time
from itertools import islice
from typing import Final

from aiokafka import AIOKafkaProducer

from deploy.ingest.publisher import message
from deploy.simulation.population import Population, simulate
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from streams.identity.policy.policy import IdentityPolicy
from tests.support.built_in import CATALOGUE

TICK_SECONDS: Final = 0.02

#: Key, value, partition.
Message = tuple[bytes, bytes, int]


def prepared(settings: Settings, policy: IdentityPolicy, events: int, seed: int = 2) -> list[Message]:
    """The messages of so many simulated events, each person with about twenty."""
    population = Population(people=max(events // 20, 1), events=events, seed=seed)
    messages = (message(event, policy, CATALOGUE) for event in simulate(population))
    return [(key, value, partition_of(key, settings.partitions)) for key, value in messages]


def producer(settings: Settings) -> AIOKafkaProducer:
    """A producer that waits for all replicas; start it."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.brokers, acks="all", enable_idempotence=bool(settings.idempotent_producer)
    )


class Load:
    """Publishes messages at a rate until they are over or it is told to stop."""

    def __init__(self, settings: Settings, messages: list[Message], rate: float) -> None:
        self._settings = settings
        self._topic = settings.topic(TOUCHPOINTS.name)
        self._messages = iter(messages)
        self._rate = rate
        self.stopped = False
        self.sent = 0  #: confirmed by the broker
        self.seconds = 0.0  #: how long it took

    async def run(self) -> None:
        """Publish; a tick that came late is made up for."""
        publisher = producer(self._settings)
        await publisher.start()
        begun = time.monotonic()
        tick = 0
        try:
            while not self.stopped:
                due = int(self._rate * TICK_SECONDS * (tick + 1)) - int(self._rate * TICK_SECONDS * tick)
                batch = list(islice(self._messages, due))
                if not batch:
                    break
                await self._send(publisher, batch)
                self.sent += len(batch)
                tick += 1
                await asyncio.sleep(max(0.0, begun + tick * TICK_SECONDS - time.monotonic()))
        finally:
            self.seconds = time.monotonic() - begun
            await publisher.stop()

    async def _send(self, publisher: AIOKafkaProducer, batch: list[Message]) -> None:
        by_partition: dict[int, list[Message]] = {}
        for one in batch:
            by_partition.setdefault(one[2], []).append(one)
        sent = []
        for partition, messages in by_partition.items():
            builder = publisher.create_batch()
            for key, value, _ in messages:
                if builder.append(key=key, value=value, timestamp=None) is None:
                    sent.append(await publisher.send_batch(builder, self._topic, partition=partition))
                    builder = publisher.create_batch()
                    builder.append(key=key, value=value, timestamp=None)
            sent.append(await publisher.send_batch(builder, self._topic, partition=partition))
        await asyncio.gather(*sent)
