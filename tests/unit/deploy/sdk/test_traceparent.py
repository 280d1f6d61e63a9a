"""The SDK and `touchline publish` send the traceparent of what they are told within, also after a failed delivery."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.ingest import publisher as ingest
from deploy.sdk import Publisher, spool
from deploy.sdk.journal import MemoryJournal
from deploy.sdk.segment import Mark
from deploy.sdk.spool import Spool
from schemas.errors import UnavailableError
from schemas.settings import Settings
from schemas.tracing.current import OTLP, VARIABLE
from schemas.tracing.traceparent import HEADER, Parent
from streams.identity.policy.load import configured
from tests.support.touchpoints import touchpoint

TRACE = Parent(0xABC, 0xDEF).header
OFF = Settings(pseudonym_key="0123456789abcdef" * 4, partitions=2)
ON = replace(OFF, tracing=OTLP)
WITH, WITHOUT = [(HEADER, TRACE)], None


class Sent(Exception):  # noqa: N818 (it ends the sender's loop)
    """All that was handed to the Kafka client."""


class Client:
    """A Kafka client that notes the headers of what it is handed."""

    def __init__(self) -> None:
        self.headers: list[Any] = []

    def send(self, _: str, *, headers: Any, **__: Any) -> Any:
        self.headers.append(headers)
        return SimpleNamespace(is_done=False)


@pytest.fixture(autouse=True)
def _started_within_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, TRACE.decode())


def headers_of(settings: Settings, monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> list[Any]:
    """The headers with which the sender's thread hands one touchpoint over: first, and after a lost connection."""
    monkeypatch.setattr("deploy.sdk.delivery.Delivery.start", lambda _: None)
    monkeypatch.setattr("deploy.sdk.delivery.Delivery.join", lambda _: None)
    publisher = Publisher(settings, spool=folder)
    publisher.publish(
        {"event_id": "e1", "tenant": "acme", "source": "shop", "occurred_at": "2026-01-01T00:00:00Z",
         "channel": "web", "type": "product_view", "identifiers": {"cookie": "c1"}}
    )  # fmt: skip
    delivery, client = publisher.delivery(), Client()
    delivery._producer = client
    for _ in range(2):
        rounds = iter((False, Sent()))

        def reap(rounds: Any = rounds) -> bool:
            told = next(rounds)
            if isinstance(told, Sent):
                raise told
            return bool(told)

        monkeypatch.setattr(delivery, "_reap", reap)
        with pytest.raises(Sent):
            delivery._deliver()
        delivery._in_flight.clear()
        delivery._journal.rewind()
    with suppress(UnavailableError):  # which says that one in memory is lost
        publisher.close(0)
    return client.headers


@pytest.mark.parametrize("spooled", [True, False])
@pytest.mark.parametrize(("settings", "expected"), [(ON, WITH), (OFF, WITHOUT)])
def test_the_sdk_sends_the_trace_with_the_touchpoint_as_often_as_it_sends_it(
    settings: Settings, expected: Any, spooled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert headers_of(settings, monkeypatch, tmp_path if spooled else None) == [expected, expected]


@pytest.mark.parametrize(("settings", "expected"), [(ON, WITH), (OFF, WITHOUT)])
def test_touchline_publish_sends_the_trace_of_its_environment(
    settings: Settings, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    monkeypatch.setattr(ingest, "_partitions", lambda *_: 2)
    monkeypatch.setattr(ingest, "require_same_key", lambda *_: None)
    monkeypatch.setattr(ingest, "producer", lambda *_, **__: client)
    ingest.Publisher(settings, configured(settings)).send(touchpoint("e1", ids=[("cookie", "c1")]))
    assert client.headers == [expected]


def test_a_record_of_a_process_that_is_gone_is_sent_without_its_trace(tmp_path: Path) -> None:
    gone = Spool(tmp_path, 1 << 20, Mark("", ""), sync=False)
    gone.append(b"key", b"value", TRACE)
    gone.abandon()
    (entry,) = Spool(tmp_path, 1 << 20, Mark("", ""), sync=False).read(9, 999)
    assert (entry.value, entry.traceparent) == (b"value", None)


def test_traces_take_a_bounded_part_of_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MOST_TRACES", 2)
    journal = Spool(tmp_path, 1 << 20, Mark("", ""), sync=False)
    for _ in range(3):
        journal.append(b"key", b"value", TRACE)
    assert [one.traceparent for one in journal.read(9, 999)] == [TRACE, TRACE, None]


def test_a_journal_in_memory_gives_each_record_its_own_trace() -> None:
    journal = MemoryJournal(1 << 20)
    journal.append(b"key", b"first", TRACE)
    journal.append(b"key", b"second")
    assert [one.traceparent for one in journal.read(9, 999)] == [TRACE, None]
