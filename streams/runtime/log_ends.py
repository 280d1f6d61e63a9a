"""Where partitions really end: the high watermark of a fetch, not what ListOffsets says.

Recovery reads a changelog up to its end, so an end that is reported short loses state. The sandbox's broker
answers ListOffsets with the base offset of the last batch plus one; a fetch's high watermark is right on every
broker, and costs one short fetch per rebalance.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.errors import UnavailableError

TIMEOUT_SECONDS: Final = 30.0


async def log_ends(brokers: str, reported: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The offset after the last record of each partition, given what ListOffsets reported.

    Raises UnavailableError if the broker does not answer within TIMEOUT_SECONDS.
    """
    ends = dict(reported)
    waiting = {tp for tp, end in reported.items() if end > 0}
    if not waiting:
        return ends
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
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
            f"Kafka at {brokers} did not say where its changelogs end: is it healthy?"
        ) from error
    finally:
        await consumer.stop()
    return ends
