"""A plain Faust pipeline, as its documentation teaches it: agents, tables, topic.send, take() for batches.

Topics with a custom codec for Avro and JSON for the rest (userguide/models), tables with the documented default
`at_least_once`, topics between the steps (userguide/streams), inserts of `take()`n batches. What its documentation
recommends for speed is on: orjson (it is used when it is installed), uvloop, and raw dictionaries in place of Records.
Two things besides, found by profiling it: a producer that lingers, and the documented `--loglevel info` (above that
level its terminal spinner formats every debug message).

Run: by the harness, by the contract of contract.py, with the arguments `--loop uvloop worker --loglevel info`.
"""

import asyncio
from typing import Any, Final

import faust
from faust.serializers import codecs

from schemas.encoding.record_types import TOUCHPOINT
from tests.benchmarks.peers.contract import INPUT, Contract
from tests.benchmarks.peers.core import Json, Meanings, advance
from tests.benchmarks.peers.sink import Sink

ROWS: Final = 5_000
SECONDS: Final = 1.0


class AvroTouchpoint(codecs.Codec):  # type: ignore[misc]  # faust has no types for it
    """Reads the Avro single objects of the input."""

    def _loads(self, s: bytes) -> Json:
        return TOUCHPOINT.decode_trusted(s)


codecs.register("avro_touchpoint", AvroTouchpoint())

contract = Contract.from_env()
meanings = Meanings(contract.catalogue)

app = faust.App(
    contract.prefix + "app", broker=f"kafka://{contract.brokers}", store="memory://", datadir=str(contract.folder),
    topic_partitions=contract.partitions, topic_replication_factor=1, topic_disable_leader=True, web_enabled=False,
    producer_linger=0.05, producer_max_batch_size=256 * 1024,
)  # fmt: skip

touchpoints_topic = app.topic(INPUT, key_type=str, key_serializer="raw", value_serializer="avro_touchpoint")
resolved_topic = app.topic(
    contract.topic("resolved"), key_type=str, key_serializer="raw", value_serializer="json"
)
states_topic = app.topic(
    contract.topic("states"), key_type=str, key_serializer="raw", value_serializer="json"
)

customers = app.Table(contract.prefix + "customers", partitions=contract.partitions)
journeys = app.Table(contract.prefix + "journeys", partitions=contract.partitions)


@app.agent(touchpoints_topic)
async def stitch(stream: Any) -> None:
    """Look up whose cookie it is, and send the touchpoint on to its profile."""
    async for cookie, touchpoint in stream.items():
        customer = touchpoint["identifiers"][0]
        if customer["type"] == "customer_id":
            profile = customer["value"]
            if customers.get(cookie) != profile:
                customers[cookie] = profile
        else:
            profile = customers.get(cookie) or cookie
        await resolved_topic.send(key=profile, value=touchpoint)


@app.agent(resolved_topic)
async def follow(stream: Any) -> None:
    """Keep every profile's journey, and publish it."""
    async for profile, touchpoint in stream.items():
        state = advance(journeys.get(profile), touchpoint, meanings)
        journeys[profile] = state
        await states_topic.send(key=profile, value=state)


if contract.insert:
    sinks = Sink(contract), Sink(contract)

    @app.agent(resolved_topic)
    async def load_touchpoints(stream: Any) -> None:
        """Insert touchpoints in batches."""
        async for events in stream.take_events(ROWS, within=SECONDS):
            await asyncio.to_thread(sinks[0].touchpoints, [(event.key, event.value) for event in events])

    @app.agent(states_topic)
    async def load_states(stream: Any) -> None:
        """Insert states in batches."""
        async for events in stream.take_events(ROWS, within=SECONDS):
            await asyncio.to_thread(sinks[1].states, [(event.key, event.value) for event in events])


if __name__ == "__main__":
    app.main()
