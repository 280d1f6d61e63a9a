"""Spans as a receiver of OTLP gets them, and the process that does without."""

import subprocess
import sys
import time

import pytest

from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.tracing.traceparent import HEADER, Parent, sampled_parent
from schemas.tracing.tracer import MOST, Tracer, tracer_of
from tests.support.agents import Record
from tests.support.otlp import Receiver, receiving

PARENT = Parent(0xABC, 0xDEF)
TRACE = f"{PARENT.trace_id:032x}"
TRACED = Record("touchpoints", 1, 7, headers=[(HEADER, PARENT.header)])
PLAIN = Record("touchpoints", 1, 8)


def told(monkeypatch: pytest.MonkeyPatch, what: object) -> Receiver:
    """What a worker's tracer tells a receiver."""
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        tracer = tracer_of(Settings(tracing="otlp"), "worker")
        assert tracer is not None
        what(tracer)  # type: ignore[operator]
        tracer.close()
    return receiver


def test_a_record_that_a_trace_follows_is_a_span_with_its_place_and_no_other_record_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = time.time_ns() - 5_000_000

    def work(tracer: Tracer) -> None:
        tracer.finished("stitch", [PLAIN, TRACED], began)

    (span,) = told(monkeypatch, work).spans
    assert (span.service, span.name, span.trace, span.failed) == ("touchline-worker", "stitch", TRACE, False)
    assert span.parent == f"{PARENT.span_id:016x}"
    assert span.nanoseconds >= 5_000_000
    assert span.attributes == {
        "messaging.system": "kafka", "messaging.destination.name": "touchpoints",
        "messaging.destination.partition.id": "1", "messaging.kafka.offset": 7,
    }  # fmt: skip


def test_what_is_published_because_of_a_record_names_the_span_of_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Parent | None] = []

    def work(tracer: Tracer) -> None:
        assert tracer.forwarded("stitch", PLAIN) is None
        sent.append(sampled_parent(tracer.forwarded("stitch", TRACED)))
        tracer.finished("stitch", [TRACED], time.time_ns())
        tracer.finished("stitch", [TRACED], time.time_ns())  # again, after a crash

    spans = told(monkeypatch, work).spans
    (forwarded,) = sent
    assert forwarded is not None
    assert {(one.trace, one.id) for one in spans} == {(TRACE, f"{forwarded.span_id:016x}")}


def test_a_dead_letter_is_a_failed_span_below_that_of_its_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(tracer: Tracer) -> None:
        tracer.rejected("stitch", PLAIN, "INVALID")
        tracer.rejected("stitch", TRACED, "INVALID")
        tracer.finished("stitch", [TRACED], time.time_ns())

    letter, fetch = told(monkeypatch, work).spans
    assert (letter.name, letter.failed, letter.parent) == ("stitch dead letter", True, fetch.id)


@pytest.mark.parametrize(("status", "failed"), [(200, False), (400, False), (503, True)])
def test_a_request_is_a_span_that_failed_if_the_collector_did(
    monkeypatch: pytest.MonkeyPatch, status: int, failed: bool
) -> None:
    def work(tracer: Tracer) -> None:
        tracer.answered("collect", tracer.request(PARENT), PARENT, time.time_ns(), status)

    (span,) = told(monkeypatch, work).spans
    assert span.failed == failed
    assert span.attributes == {"http.response.status_code": status}


def test_a_source_that_marks_every_record_floods_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(4 * MOST))

    def work(tracer: Tracer) -> None:
        tracer.finished("stitch", [TRACED] * (2 * MOST), time.time_ns())

    assert len(told(monkeypatch, work).spans) == MOST


def test_without_the_setting_there_is_no_tracer_and_opentelemetry_s_sdk_is_not_even_imported() -> None:
    assert tracer_of(Settings(), "worker") is None
    looked = "import sys, streams.worker, deploy.cli.load, streams.collect.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert "streams.worker" in done.stdout
    assert "opentelemetry.sdk" not in done.stdout


def test_a_wrong_setting_and_a_missing_package_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_TRACING is 'on': it must be off or otlp"):
        tracer_of(Settings(tracing="on"), "worker")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with pytest.raises(SettingsError, match=r"pip install 'touchline\[tracing\]'"):
        tracer_of(Settings(tracing="otlp"), "worker")
