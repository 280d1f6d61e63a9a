"""Quix Streams: two stateful streaming dataframes and a batching sink, as its documentation teaches it.

Its defaults: at least once, state in RocksDB as JSON with changelog topics, checkpoints every 5 seconds; and what
its page on sinks recommends, `commit_every`, so that batches stay below 10,000 rows.

Run: by the harness, by the contract of contract.py.
"""

from collections.abc import Callable
from typing import Any, Final

from quixstreams import Application, State
from quixstreams.models import Deserializer, SerializationContext
from quixstreams.sinks.base import BatchingSink, SinkBatch

from schemas.encoding.record_types import TOUCHPOINT
from tests.benchmarks.peers.contract import INPUT, Contract
from tests.benchmarks.peers.core import Json, Meanings, advance
from tests.benchmarks.peers.sink import Sink

COMMIT_EVERY: Final = 10_000


class AvroTouchpoint(Deserializer):
    """Reads the Avro single objects of the input."""

    def __call__(self, value: bytes, ctx: SerializationContext) -> Json:  # noqa: ARG002 (its signature)
        return TOUCHPOINT.decode_trusted(value)


class ClickHouseSink(BatchingSink):
    """Inserts what a checkpoint has gathered, one block for each partition."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        super().__init__()
        self._write = write

    def write(self, batch: SinkBatch) -> None:
        self._write((_text(item.key), item.value) for item in batch)


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


def build(contract: Contract) -> Application:
    """The application with its two dataframes."""
    meanings = Meanings(contract.catalogue)
    app = Application(
        broker_address=contract.brokers, consumer_group=contract.prefix + "app", auto_offset_reset="earliest",
        state_dir=contract.folder, commit_every=COMMIT_EVERY, loglevel="WARNING",
    )  # fmt: skip
    touchpoints = app.topic(INPUT, key_deserializer="str", value_deserializer=AvroTouchpoint())
    resolved = app.topic(
        contract.topic("resolved"), key_serializer="str", key_deserializer="str",
        value_serializer="json", value_deserializer="json",
    )  # fmt: skip
    states = app.topic(contract.topic("states"), key_serializer="str", value_serializer="json")

    def stitch(touchpoint: Json, state: State) -> Json:
        customer = touchpoint["identifiers"][0]
        if customer["type"] == "customer_id":
            profile = customer["value"]
            if state.get("customer") != profile:
                state.set("customer", profile)
        else:
            profile = state.get("customer") or customer["value"]
        touchpoint["profile"] = profile
        return touchpoint

    def follow(touchpoint: Json, state: State) -> Json:
        journey = advance(state.get("journey"), touchpoint, meanings)
        state.set("journey", journey)
        return journey

    stitched = app.dataframe(touchpoints).apply(stitch, stateful=True)
    stitched.to_topic(resolved, key=lambda touchpoint: touchpoint["profile"])
    followed = app.dataframe(resolved)
    followed = followed.apply(follow, stateful=True).to_topic(states)
    if contract.insert:
        sink = Sink(contract)
        stitched.sink(ClickHouseSink(lambda rows: sink.touchpoints((t["profile"], t) for _, t in rows)))
        followed.sink(ClickHouseSink(sink.states))
    return app


if __name__ == "__main__":
    build(Contract.from_env()).run()
