"""What comes out on journey-states, as a subscriber sees it."""

import time
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer

from schemas.topics import JOURNEY_STATES
from tests.integration.parts import Deployment


async def published_states(live: Deployment) -> AsyncIterator[tuple[float, Any]]:
    """Every record from the beginning on, with the monotonic time at which it was there; without end."""
    consumer = AIOKafkaConsumer(
        live.settings.topic(JOURNEY_STATES.name), bootstrap_servers=live.settings.brokers,
        auto_offset_reset="earliest", fetch_max_wait_ms=10,
    )  # fmt: skip
    await consumer.start()
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=20)).values():
                now = time.monotonic()
                for record in records:
                    yield now, record
    finally:
        await consumer.stop()
