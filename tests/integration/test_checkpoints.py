"""A worker killed with kill -9 starts from its checkpoint, reads the changelog's tail, and live still equals replay."""

import os
import signal
import time
from pathlib import Path

import pytest

from deploy.sandbox import Broker, ClickHouseServer
from tests.integration.parts import deployment
from tests.integration.test_pipeline import assert_live_equals, replayed, send, simulated
from tests.support.native import needs_native

pytestmark = [pytest.mark.sandbox, pytest.mark.soak, needs_native]


def checkpoints(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.checkpoint")}


def test_a_killed_worker_starts_from_its_checkpoint(
    broker: Broker, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    events = simulated(people=40, events=900, seed=5)
    folder = tmp_path / "state"
    with deployment(broker, clickhouse, core="native", state_dir=str(folder), checkpoint_seconds=1.0) as live:
        send(events[:600], live)
        live.wait_idle(reconciling=False)
        partitions, until = live.settings.partitions, time.monotonic() + 60
        while len(checkpoints(folder)) < partitions and time.monotonic() < until:
            time.sleep(0.5)
        written = checkpoints(folder)
        assert len(written) == partitions, live.log_tails()
        (worker,) = live.workers
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        send(events[600:], live)
        while worker.alive:
            time.sleep(0.1)
        worker.start()
        live.wait_idle()
        said = worker.log_tail(400)
        assert said.count("journeys from the checkpoint") == partitions, said
        assert "is refused" not in said
        assert_live_equals(replayed(events, live), live)
        while checkpoints(folder) == written and time.monotonic() < until + 120:
            time.sleep(0.5)
        assert checkpoints(folder) != written, "it goes on writing checkpoints"
