"""One touchpoint is followed from the collector through stitch and journeys; a dead letter carries its trace."""

import asyncio
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.record_types import DEAD_LETTER, TOUCHPOINT
from schemas.keys import partition_of
from schemas.tracing.traceparent import HEADER, Parent, parent_of
from schemas.tracing.tracer import Tracer
from tests.support.collector_serving import serving
from tests.support.touchpoints import START, touchpoint
from tests.support.turns import TurnsWorker

pytest.importorskip("opentelemetry.sdk", reason="pip install '.[tracing]'")

PARTITIONS = 2
PARENT = Parent(0xABC, 0xDEF)
UNSAMPLED = PARENT.header[:-1] + b"0"
EVENT = {
    "event_id": "e1", "occurred_at": START, "channel": "web", "type": "product_view",
    "identifiers": {"cookie": "c1"},
}  # fmt: skip


class Collected:
    """An exporter that keeps what it is told."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def on_end(self, span: Any) -> None:
        self.spans.append(span)

    def shutdown(self) -> None:
        pass

    def parents(self) -> dict[str, tuple[int, int]]:
        """Name of a span → its id, and that of its parent; all belong to one trace."""
        assert {one.context.trace_id for one in self.spans} <= {PARENT.trace_id}
        return {one.name: (one.context.span_id, one.parent.span_id) for one in self.spans}


class Outputs:
    """Everything that a worker publishes, by topic."""

    def __init__(self) -> None:
        self.records: dict[str, list[Any]] = {}

    def __call__(self, topic: str, record: Any) -> None:
        self.records.setdefault(topic, []).append(record)


def stitched(headers: list[tuple[str, bytes]] | None, exporter: Collected | None) -> Outputs:
    """What a worker makes of one touchpoint whose record has these headers."""
    outputs = Outputs()
    worker = TurnsWorker(PARTITIONS, lambda: START / 1000 + 60, look=outputs)
    worker.touchpoint_tracer = None if exporter is None else Tracer("worker", exporter)
    touched = touchpoint("e1", occurred_at=START, received_at=START, ids=[("cookie", "c1")])
    example = TOUCHPOINT.encode(touched)
    key = b"default/cookie:c1"
    worker.feed({(topics.TOUCHPOINTS.name, partition_of(key, PARTITIONS)): [(key, example, headers)]})
    return outputs


def test_a_trace_leads_from_stitch_to_journeys_and_on_to_the_loader() -> None:
    exporter = Collected()
    outputs = stitched([("mine", b"x"), (HEADER, PARENT.header)], exporter)
    parents = exporter.parents()
    assert parents.keys() == {"stitch", "journeys"}
    assert parents["stitch"][1] == PARENT.span_id
    assert parents["journeys"][1] == parents["stitch"][0]
    ((_, _, headers),) = (
        one for one in outputs.records[topics.JOURNEY_INPUTS.name] if one[2]
    )  # what the loader reads
    assert parent_of(headers) == Parent(PARENT.trace_id, parents["stitch"][0])


@pytest.mark.parametrize("headers", [None, [(HEADER, UNSAMPLED)], [(HEADER, b"nonsense")]])
def test_no_span_is_told_of_a_record_without_a_sampled_trace(
    headers: list[tuple[str, bytes]] | None,
) -> None:
    exporter = Collected()
    outputs = stitched(headers, exporter)
    assert exporter.spans == []
    assert {one[2] for one in outputs.records[topics.JOURNEY_INPUTS.name]} == {None}


def test_tracing_changes_no_byte_of_what_a_worker_publishes() -> None:
    traced, plain = (
        stitched([(HEADER, PARENT.header)], Collected()),
        stitched([(HEADER, PARENT.header)], None),
    )
    assert {one[2] for one in plain.records[topics.JOURNEY_INPUTS.name]} == {None}
    values = [
        {topic: [(key, value) for key, value, _ in records] for topic, records in run.records.items()}
        for run in (traced, plain)
    ]
    assert values[0] == values[1]


def test_the_collector_begins_where_the_request_s_trace_is_and_its_letters_carry_the_trace() -> None:
    exporter = Collected()

    async def post() -> tuple[Any, Any]:
        async with serving(tracer=Tracer("collector", exporter)) as client:
            headers = {"traceparent": PARENT.header.decode()}
            await client.post("/v1/touchpoints", EVENT, headers=headers)
            await client.post("/v1/touchpoints", {**EVENT, "event_id": "e2"})
            await client.post("/v1/track", {"event": "", "messageId": "m"}, headers=headers)
            return client.broker.headers, client.broker.letters()

    sent, letters = asyncio.run(post())
    assert [one.name for one in exporter.spans] == ["collect touchpoints", "collect segment"]
    first, second = (one.context.span_id for one in exporter.spans)
    assert sent["touchpoints"] == [[(HEADER, Parent(PARENT.trace_id, first).header)], None]
    (letter,) = letters
    carried = {one["name"]: one["value"] for one in letter["headers"]}
    assert carried[HEADER] == Parent(PARENT.trace_id, second).header
    assert DEAD_LETTER.encode(letter)
