"""One touchpoint is followed through real processes, from the collector to its row; a dead letter carries its trace."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy.ports import free_port
from deploy.sandbox import Process
from schemas.tracing.traceparent import HEADER, Parent
from tests.integration.parts import TOUCHLINE, deployment
from tests.integration.test_dead_letters import send
from tests.support.otlp import Receiver, receiving

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

PARENT = Parent(0xABC, 0xDEF)
TRACE = f"{PARENT.trace_id:032x}"
POISONED = Parent(0x123, 0x456)
EVENT = {
    "event_id": "e1", "occurred_at": "2026-01-01T12:00:00Z", "source": "shop", "channel": "web",
    "type": "product_view", "identifiers": {"cookie": "c1"},
}  # fmt: skip


def post(port: int, traceparent: bytes) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/touchpoints", json.dumps(EVENT).encode(),
        {"Content-Type": "application/json", HEADER: traceparent.decode()},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(json.load(answer)["accepted"] == 1)
    except urllib.error.HTTPError:
        raise
    except OSError:
        return False


def lineage(receiver: Receiver, trace: str) -> dict[str, str]:
    """Name of each span of a trace → the name of the span above it; "" for one whose parent is not Touchline's."""
    spans = receiver.of(trace)
    return {one.name: spans[one.parent].name if one.parent in spans else "" for one in spans.values()}


def test_a_trace_leads_from_the_request_to_the_row_and_a_dead_letter_carries_it(
    tansu, clickhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        with deployment(tansu, clickhouse, log_dir=tmp_path, tracing="otlp") as live:
            command = [*TOUCHLINE, "collect", "--open", "--port", str(port := free_port())]
            collector = Process("collector", command, tmp_path / "collector.log", live.settings.to_env())
            collector.start()
            try:
                collector.wait_ready(lambda: post(port, PARENT.header), 120)
            finally:
                collector.stop()
            send(live, b"\xc3\x01poison", traceparent=POISONED.header)
            live.wait_idle()
            assert live.query("SELECT event_id FROM touchpoints_current") == [("e1",)]
            ((headers,),) = live.query("SELECT headers FROM dead_letters FINAL")
            assert dict(headers)[HEADER] == POISONED.header.decode()
    followed = lineage(receiver, TRACE)
    assert followed == {
        "collect touchpoints": "", "stitch": "collect touchpoints", "journeys": "stitch", "load": "stitch"
    }  # fmt: skip
    assert {one.service for one in receiver.of(TRACE).values()} == {
        "touchline-collector", "touchline-worker", "touchline-loader"
    }  # fmt: skip
    poisoned = f"{POISONED.trace_id:032x}"
    assert lineage(receiver, poisoned) == {"stitch": "", "stitch dead letter": "stitch"}
    assert [one.name for one in receiver.of(poisoned).values() if one.failed] == ["stitch dead letter"]
