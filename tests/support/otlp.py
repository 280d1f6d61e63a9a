"""A receiver of OTLP over HTTP on loopback: it keeps the spans that processes tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.http_serving import QuietHandler, serving


@dataclass(frozen=True)
class Span:
    """One span as it came; ids in hexadecimal, "" for none."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool
    nanoseconds: int


class Receiver:
    """What came, and the address at which it listens, for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.url = ""

    def of(self, trace: str) -> dict[str, Span]:
        """The spans of a trace, each once, by their ids."""
        return {one.id: one for one in self.spans if one.trace == trace}


def read(body: bytes) -> Iterator[Span]:
    """The spans of a request."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        named = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for one in scope.spans:
                told = {each.key: each.value.string_value or each.value.int_value for each in one.attributes}
                yield Span(
                    named["service.name"], one.name, one.trace_id.hex(), one.span_id.hex(),
                    one.parent_span_id.hex(), told, one.status.code == 2,
                    one.end_time_unix_nano - one.start_time_unix_nano,
                )  # fmt: skip


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()

    class Handler(QuietHandler):
        def respond(self) -> None:
            assert self.path == "/v1/traces"
            receiver.spans += read(self.body())
            self.answer(200, headers={"Content-Type": "application/x-protobuf"})

    with serving(Handler) as receiver.url:
        yield receiver
