"""Tells spans by OTLP; OpenTelemetry is imported only where TOUCHLINE_TRACING asks for it.

OpenTelemetry's own variables say where to and how: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_…
"""

import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Any, Final, Protocol

from schemas.consumed import KafkaRecord
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.tracing.current import OTLP, traces
from schemas.tracing.traceparent import Parent, parent_of, span_id

#: Spans of one fetch at most: a source that marks every record must not flood those who read traces.
MOST: Final = 1000


class Exporter(Protocol):
    """OpenTelemetry's span processor, as far as it is used: it collects spans and sends them from its own thread."""

    def on_end(self, span: Any) -> None:
        """Take a span that is over."""

    def shutdown(self) -> None:
        """Send what is left."""


def tracer_of(settings: Settings, process: str) -> "Tracer | None":
    """What tells the spans of a process; None unless TOUCHLINE_TRACING is otlp.

    Raises SettingsError if OpenTelemetry is not installed.
    """
    if not traces(settings):
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            f"TOUCHLINE_TRACING is {OTLP}, and OpenTelemetry is not installed: pip install 'touchline[tracing]'"
        ) from error
    return Tracer(process, BatchSpanProcessor(OTLPSpanExporter()))


class Tracer:
    """Tells what a process did with records and requests that carry a sampled `traceparent`. Times are UTC ns."""

    def __init__(self, process: str, exporter: Exporter) -> None:
        from opentelemetry.sdk import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

        self._exporter = exporter
        self._span, self._context = trace.ReadableSpan, SpanContext
        self._sampled = TraceFlags(TraceFlags.SAMPLED)
        self._server, self._consumer = SpanKind.SERVER, SpanKind.CONSUMER
        self._well, self._failed = Status(StatusCode.UNSET), partial(Status, StatusCode.ERROR)
        self._resource = Resource.create({"service.name": f"touchline-{process}"})
        self._scope = InstrumentationScope("touchline", version("touchline"))

    def forwarded(self, component: str, record: KafkaRecord) -> bytes | None:
        """The `traceparent` of what a component publishes because of a record; None if no trace follows the record."""
        parent = parent_of(record.headers)
        return None if parent is None else self._own(parent, component, record).header

    def finished(self, component: str, records: Iterable[KafkaRecord], began: int) -> None:
        """Tell a span for each record that a trace follows: from `began` until now, when its effects are durable."""
        now, told = time.time_ns(), 0
        for record in records:
            parent = parent_of(record.headers)
            if parent is not None and told < MOST:
                told += 1
                own = self._own(parent, component, record)
                self._tell(component, own, parent, began, now, _place(record), self._consumer, self._well)

    def rejected(self, component: str, record: KafkaRecord, reason: str) -> None:
        """Tell that a record became a dead letter: a span of no length below that of its fetch."""
        parent = parent_of(record.headers)
        if parent is None:
            return
        above, name = self._own(parent, component, record), f"{component} dead letter"
        own, now = self._own(above, name, record), time.time_ns()
        self._tell(name, own, above, now, now, _place(record), self._consumer, self._failed(reason))

    def request(self, parent: Parent) -> Parent:
        """The span of a request that came with a sampled `traceparent`: to be handed on, and to `answered`."""
        return Parent(parent.trace_id, secrets.randbits(64) or 1)

    def answered(self, name: str, own: Parent, parent: Parent, began: int, status: int) -> None:
        """Tell the span of a request with its HTTP status."""
        failed = self._failed(f"status {status}") if status >= 500 else self._well
        told = {"http.response.status_code": status}
        self._tell(name, own, parent, began, time.time_ns(), told, self._server, failed)

    def close(self) -> None:
        """Send what is left. An endpoint that is away costs at most what OTEL_EXPORTER_OTLP_TIMEOUT allows."""
        with suppress(Exception):  # a trace that is lost stops nothing
            self._exporter.shutdown()

    def _own(self, parent: Parent, component: str, record: KafkaRecord) -> Parent:
        return Parent(
            parent.trace_id, span_id(parent, component, record.topic, record.partition, record.offset)
        )

    def _tell(
        self, name: str, own: Parent, parent: Parent, began: int, ended: int, told: dict[str, Any], kind: Any,
        status: Any,
    ) -> None:  # fmt: skip
        span: Any = self._span  # their constructors have no types
        context: Any = self._context
        self._exporter.on_end(
            span(
                name=name, context=context(*own, False, self._sampled),
                parent=context(*parent, True, self._sampled), resource=self._resource, attributes=told,
                kind=kind, status=status, start_time=began, end_time=ended, instrumentation_scope=self._scope,
            )
        )  # fmt: skip


def _place(record: KafkaRecord) -> dict[str, Any]:
    """Where a record is. Its key and value may say who somebody is, so they are not told."""
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
