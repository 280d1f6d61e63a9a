"""The trace that follows a request to the collector into the records that are made of it."""

import time
from typing import NamedTuple

from schemas.tracing.traceparent import HEADER, Parent, sampled_parent
from schemas.tracing.tracer import Tracer
from streams.runtime.publisher import Headers


class _Span(NamedTuple):
    tracer: Tracer
    parent: Parent
    own: Parent
    began: int  #: UTC ns


class Followed:
    """A request, and the span that tells of it, if a sampled trace came with it and this collector traces."""

    def __init__(self, span: _Span | None) -> None:
        self._span = span

    @classmethod
    def of(cls, tracer: Tracer | None, traceparent: str | None) -> "Followed":
        """Of a request with this header; it begins now."""
        if tracer is None or traceparent is None:
            return _NOT
        parent = sampled_parent(traceparent.encode(errors="replace"))
        return _NOT if parent is None else cls(_Span(tracer, parent, tracer.request(parent), time.time_ns()))

    @property
    def headers(self) -> Headers | None:
        """The headers of every record that the request causes."""
        return None if self._span is None else [(HEADER, self._span.own.header)]

    def answered(self, name: str, status: int) -> None:
        """Tell that the request was answered with a HTTP status."""
        if self._span is not None:
            tracer, parent, own, began = self._span
            tracer.answered(name, own, parent, began, status)


_NOT = Followed(None)
