"""The trace that what publishes touchpoints belongs to: the application's span, or TRACEPARENT of its environment.

OpenTelemetry is only asked where the application has it: a source that has none can still be started with TRACEPARENT.
"""

import os
import sys
from typing import Final

from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.tracing.traceparent import Parent, sampled_parent

OFF, OTLP = "off", "otlp"  #: what TOUCHLINE_TRACING may be
#: OpenTelemetry's name of `traceparent` for programs that are started within a span.
VARIABLE: Final = "TRACEPARENT"
#: Records of one publisher that name the trace of its environment: a long file must not flood who reads traces.
MOST_OF_ENVIRONMENT: Final = 1000


def traces(settings: Settings) -> bool:
    """Whether TOUCHLINE_TRACING asks for traces. Raises SettingsError if it is neither off nor otlp."""
    if settings.tracing not in {OFF, OTLP}:
        raise SettingsError(f"TOUCHLINE_TRACING is {settings.tracing!r}: it must be {OFF} or {OTLP}")
    return settings.tracing == OTLP


class Current:
    """What `traceparent` the next record gets; call it once for each record, in the thread that publishes it."""

    def __init__(self, settings: Settings) -> None:
        """Read TRACEPARENT. Raises SettingsError like `traces`."""
        self._outer: Parent | None = None
        self._left = MOST_OF_ENVIRONMENT
        self.on = traces(settings)
        if self.on:
            self._outer = sampled_parent(os.environ.get(VARIABLE, "").encode(errors="replace"))

    def __call__(self) -> bytes | None:
        """The header's value; None if tracing is off, or neither an active span is sampled nor one around it."""
        if not self.on:
            return None
        api = sys.modules.get("opentelemetry.trace")  # whoever has an active span has loaded it
        context = None if api is None else api.get_current_span().get_span_context()
        if context is not None and context.is_valid:
            parent = Parent(context.trace_id, context.span_id)
            return parent.header if context.trace_flags.sampled else None
        if self._outer is None or not self._left:
            return None
        self._left -= 1
        return self._outer.header
