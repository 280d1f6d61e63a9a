"""What traceparent a published record gets: that of the application's span, or of the environment, or none."""

import pytest

from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.tracing.current import MOST_OF_ENVIRONMENT, OTLP, VARIABLE, Current
from schemas.tracing.traceparent import Parent

OUTER, INNER = Parent(0xABC, 0xDEF), Parent(0x123, 0x456)
ON = Settings(tracing=OTLP)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, OUTER.header.decode())


def within(span: Parent, *, sampled: bool) -> bytes | None:
    """What a record gets that is published within a span of the application."""
    trace = pytest.importorskip("opentelemetry.trace", reason="pip install '.[tracing]'")
    context = trace.SpanContext(span.trace_id, span.span_id, False, trace.TraceFlags(int(sampled)))
    with trace.use_span(trace.NonRecordingSpan(context)):
        return Current(ON)()


def test_nothing_is_sent_while_tracing_is_off() -> None:
    assert Current(Settings())() is None


def test_a_value_that_is_neither_off_nor_otlp_is_refused() -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_TRACING is 'on': it must be off or otlp"):
        Current(Settings(tracing="on"))


def test_a_program_that_is_started_within_a_span_names_it_on_its_first_records() -> None:
    current = Current(ON)
    assert {current() for _ in range(MOST_OF_ENVIRONMENT)} == {OUTER.header}
    assert current() is None


@pytest.mark.parametrize("value", ["", "x", OUTER.header.decode()[:-1] + "0"])
def test_no_trace_begins_where_the_environment_names_none_that_is_sampled(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert Current(ON)() is None


def test_the_span_of_the_application_comes_before_the_environment() -> None:
    assert within(INNER, sampled=True) == INNER.header


def test_a_span_that_is_not_sampled_is_not_named_and_nothing_in_its_place() -> None:
    assert within(INNER, sampled=False) is None
