"""Drills: a backup that is taken under load and restored, and a ClickHouse that is lost, compared hash by hash."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.settings import Settings
from sinks.clickhouse.connection import connect
from tests.integration.parts import TOUCHLINE, Deployment, deployment, on_kafka
from tests.integration.store import drop
from tests.integration.test_accounts import assert_accounts_equal
from tests.integration.test_grow import published
from tests.integration.test_pipeline import assert_live_equals, replayed, send, simulated

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]


def touchline(settings: Settings, *command: str) -> str:
    """A command that must succeed. Returns what it told."""
    done = subprocess.run(
        [*TOUCHLINE, *command],
        env=settings.to_env(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@on_kafka
def test_a_backup_taken_under_load_is_restored_elsewhere_and_goes_on_to_the_same_hashes(
    broker, clickhouse, tmp_path: Path
) -> None:
    events = simulated(people=200, events=4_000, seed=9)
    folder = tmp_path / "backup"
    with deployment(broker, clickhouse, workers=2, log_dir=tmp_path, partitions=2) as live:
        send(events[:2_000], live)
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(published, events[2_000:3_000], live, 8)
            time.sleep(2)
            touchline(live.settings, "backup", str(folder))
            assert not load.done()
            load.result()
        touchline(live.settings, "restore", str(folder), "--check")

    # the broker and ClickHouse of that deployment are gone
    settings = live.settings
    elsewhere = replace(settings, topic_prefix=f"r-{settings.topic_prefix}", epoch=settings.epoch + 1)
    touchline(elsewhere, "restore", str(folder))
    touchline(elsewhere, "migrate")
    restored = Deployment(elsewhere, tmp_path / "restored")
    restored.logs.mkdir()
    try:
        for _ in range(2):
            restored.start_worker()
        restored.start_loader()
        restored.wait_idle(300)
        # sources send again what came after the backup began, and some of what came before
        send(events[1_500:], restored)
        restored.wait_idle(300)
        replay = replayed(events, restored)
        assert_live_equals(replay, restored)
        assert_accounts_equal(replay, restored)
        assert restored.query("SELECT count() FROM dead_letters") == [(0,)]
    finally:
        restored.close()
        drop(elsewhere.clickhouse())


@on_kafka
def test_clickhouse_that_is_lost_is_built_again_from_the_topics(
    broker, clickhouse, tmp_path: Path, record_property
) -> None:
    events = simulated(people=300, events=6_000, seed=10)
    with deployment(broker, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()
        assert live.loader is not None
        assert live.loader.stop() == 0
        client = connect(live.settings.clickhouse())
        client.execute(f"DROP DATABASE {live.settings.clickhouse().database} SYNC")
        client.disconnect()

        began = time.monotonic()
        touchline(live.settings, "migrate")
        touchline(live.settings, "backfill", "--from", "3650d", "--group", "loader")
        live.start_loader()
        live.wait_idle(300)
        took = time.monotonic() - began
        record_property("events_per_second", round(len(events) / took))
        print(f"{len(events):,} events in {took:.0f} s")
        replay = replayed(events, live)
        assert_live_equals(replay, live)
        assert_accounts_equal(replay, live)
