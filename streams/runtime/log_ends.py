"""Log end offsets of partitions, taken from the high watermark of a fetch instead of from ListOffsets.

Recovery reads a changelog up to its end offset, so an end offset that is too small loses state. The sandbox's broker
answers ListOffsets with the base offset of the last batch plus one. The high watermark of a fetch is right on every
broker, and costs one short fetch per rebalance.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import UnavailableError
from schemas.kafka_client import client_options
from schemas.settings import Settings

TIMEOUT_SECONDS: Final = 30.0


async def log_ends(settings: Settings, reported: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The offset after the last record of each partition. `reported`: the answers of ListOffsets.

    Raises UnavailableError if the broker does not answer within TIMEOUT_SECONDS.
    """
    ends = dict(reported)
    waiting = {tp for tp, end in reported.items() if end > 0}
    if not waiting:
        return ends
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        max_partition_fetch_bytes=1,
        fetch_max_wait_ms=10,
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await consumer.start()
            consumer.assign(list(waiting))
            for tp in waiting:
                consumer.seek(tp, reported[tp] - 1)
            while waiting:
                await consumer.getmany(timeout_ms=50)
                for tp in list(waiting):
                    watermark = consumer.highwater(tp)
                    if watermark:
                        ends[tp] = max(ends[tp], watermark)
                        waiting.discard(tp)
    except TimeoutError as error:
        raise UnavailableError(
            f"Kafka at {settings.brokers} did not report the end offsets of its changelogs:"
            " check that the broker is healthy"
        ) from error
    finally:
        await consumer.stop()
    return ends
