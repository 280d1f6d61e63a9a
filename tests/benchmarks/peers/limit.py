"""The limit: a loop that only fetches with aiokafka and inserts the raw columns into ClickHouse. Nothing can be faster.

Run: by the harness, by the contract of contract.py.
"""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from tests.benchmarks.peers.contract import INPUT, Contract
from tests.benchmarks.peers.sink import Sink

ROWS: Final = 10_000
WAIT_MS: Final = 1_000


async def run(contract: Contract) -> None:
    """Fetch, insert, commit, for ever."""
    sink = Sink(contract)
    consumer = AIOKafkaConsumer(
        INPUT, bootstrap_servers=contract.brokers, group_id=contract.topic("limit"), auto_offset_reset="earliest",
        enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024,
    )  # fmt: skip
    await consumer.start()
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=WAIT_MS, max_records=ROWS)
            records = [record for batch in fetched.values() for record in batch]
            if not records:
                continue
            if contract.insert:
                await asyncio.to_thread(sink.columns, contract.table("raw"), _columns(records))
            await consumer.commit()
    finally:
        await consumer.stop()


def _columns(records: list[Any]) -> dict[str, list[Any]]:
    return {
        "partition": [record.partition for record in records],
        "offset": [record.offset for record in records],
        "key": [record.key for record in records],
        "value": [record.value for record in records],
    }


if __name__ == "__main__":
    asyncio.run(run(Contract.from_env()))
