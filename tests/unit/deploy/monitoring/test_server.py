"""What an operator asks over HTTP: metrics that are up to date, and health that tells why."""

import asyncio
import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.monitoring.process import watch_process
from deploy.monitoring.server import MetricsServer, serve
from schemas.errors import SettingsError
from schemas.health import STUCK_SECONDS, Health, Heartbeat
from schemas.settings import Settings


@contextmanager
def turning(heartbeat: Heartbeat) -> Iterator[None]:
    """An event loop in another thread, in which the heartbeat beats."""
    loop = asyncio.new_event_loop()
    heartbeat.start(loop)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serving(health: Health) -> Iterator[MetricsServer]:
    server = MetricsServer(0, health)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def asked(server: MetricsServer, path: str) -> tuple[int, HTTPMessage, str]:
    try:
        with urllib.request.urlopen(server.address + path, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@pytest.fixture
def world() -> SimpleNamespace:
    """A clock, what the process waits for, and how often its gauges were brought up to date."""
    world = SimpleNamespace(now=0.0, waits_for="", refreshed=0)
    world.heartbeat = Heartbeat(clock=lambda: world.now)

    def refresh() -> None:
        world.refreshed += 1

    world.health = Health("worker", world.heartbeat, lambda: world.waits_for, refresh)
    return world


def test_a_scrape_gets_gauges_that_were_brought_up_to_date_just_before(world: Any) -> None:
    with turning(world.heartbeat), serving(world.health) as server:
        status, headers, text = asked(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert world.refreshed == 1
    assert 'touchline_ready{process="worker"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_a_scrape_is_answered_while_the_loop_is_stuck(world: Any) -> None:
    with turning(world.heartbeat), serving(world.health) as server:
        world.now += STUCK_SECONDS + 2
        status, _, text = asked(server, "/metrics")
    assert status == 200
    assert world.refreshed == 0
    assert 'touchline_ready{process="worker"} 0.0' in text


def test_a_process_that_waits_lives_and_is_not_ready(world: Any) -> None:
    world.waits_for = "the worker waits for its partitions"
    with turning(world.heartbeat), serving(world.health) as server:
        assert asked(server, "/healthz")[0] == 200
        status, _, text = asked(server, "/readyz")
        assert status == 503
        assert json.loads(text) == {"status": "unwell", "problem": "the worker waits for its partitions"}
        assert 'touchline_ready{process="worker"} 0.0' in asked(server, "/metrics")[2]


def test_a_process_that_is_stuck_is_to_be_started_again(world: Any) -> None:
    with turning(world.heartbeat), serving(world.health) as server:
        assert asked(server, "/healthz")[0] == 200
        world.now += STUCK_SECONDS + 2
        for path in ("/healthz", "/readyz"):
            status, _, text = asked(server, path)
            assert status == 503
            assert "start the worker again" in json.loads(text)["problem"]


def test_other_paths_are_none(world: Any) -> None:
    with serving(world.health) as server:
        assert asked(server, "/")[0] == 404


def test_without_a_port_nothing_is_served(world: Any) -> None:
    assert serve(Settings(), world.health) is None


def test_a_port_that_is_taken_is_a_sentence(world: Any) -> None:
    with (
        serving(world.health) as server,
        pytest.raises(SettingsError, match="each process needs one of its own"),
    ):
        serve(Settings(metrics_port=server.server_address[1]), world.health)


def test_pauses_and_warnings_are_counted(world: Any) -> None:
    import gc

    watch_process()
    watch_process()
    with serving(world.health) as server:
        before = asked(server, "/metrics")[2]
        logging.getLogger("touchline.test").warning("this is a test")
        gc.collect()
        after = asked(server, "/metrics")[2]
    assert value(after, 'touchline_log_records_total{level="WARNING"}') == 1 + value(
        before, 'touchline_log_records_total{level="WARNING"}'
    )
    assert value(after, 'touchline_gc_pause_seconds_count{generation="2"}') > value(
        before, 'touchline_gc_pause_seconds_count{generation="2"}'
    )


def value(text: str, sample: str) -> float:
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(sample)), 0.0)


@pytest.mark.parametrize("host", ["everywhere.invalid", "192.0.2.1"])
def test_an_address_that_is_not_this_machines_is_refused_by_its_setting(world: Any, host: str) -> None:
    with pytest.raises(SettingsError, match=f"TOUCHLINE_METRICS_HOST is {host}"):
        serve(Settings(metrics_host=host, metrics_port=9_999), world.health)


def test_one_who_hangs_up_leaves_no_traceback_and_a_bug_leaves_one(caplog: pytest.LogCaptureFixture) -> None:
    with serving(Health("worker", Heartbeat(lambda _: None), lambda: "")) as server:
        for error, logged in ((BrokenPipeError(), 0), (ValueError("a bug"), 1)):
            try:
                raise error
            except type(error):
                server.handle_error(None, ("127.0.0.1", 1))
            assert len(caplog.records) == logged
