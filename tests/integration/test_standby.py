"""The owner of partitions is killed with kill -9, those with copies take over, and live still equals replay."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.ingest.corrections import erasure, publish_correction
from deploy.sandbox import Broker, ClickHouseServer, Process
from tests.integration.parts import deployment, on_kafka
from tests.integration.test_erasure import CUSTOMER, UNTIL, shop
from tests.integration.test_pipeline import assert_live_equals, replayed, send, simulated

pytestmark = [pytest.mark.sandbox, pytest.mark.soak, on_kafka]
PATIENCE = 400.0  #: seconds, on a busy machine


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def log_of(worker: Process) -> str:
    return worker.log_tail(2_000)


def taken_over(worker: Process) -> set[str]:
    """The changelog partitions that a worker has taken over from its copies."""
    return set(re.findall(r"(\w+, partition \d+): taken over from the standby copy", log_of(worker)))


def owned(worker: Process) -> int:
    """How many partitions a worker was assigned last; -1 for none yet."""
    found = re.findall(r"assigned partitions ([\d, -]+) of|no partition of", log_of(worker))
    return -1 if not found else sum(map(_width, filter(None, found[-1].split(","))))


def _width(span: str) -> int:
    first, _, last = span.strip().partition("-")
    return int(last or first) - int(first) + 1


def test_a_killed_workers_partitions_go_on_from_their_copies(
    broker: Broker, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    events = [*shop(), *simulated(people=40, events=900, seed=11)]
    with deployment(broker, clickhouse, workers=2, log_dir=tmp_path, standby_replicas=1) as live:
        first, second = live.workers
        until(lambda: owned(first) == owned(second) == 2, "both workers own two partitions")
        send(events[:600], live)
        live.wait_idle(PATIENCE, reconciling=False)
        publish_correction(erasure("default", CUSTOMER, UNTIL), live.settings)
        live.wait_idle(PATIENCE, reconciling=False)
        time.sleep(2)  # copies are behind by less than that
        for survivor, victim in ((second, first), (first, second)):
            before = taken_over(survivor)
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            half = events[600:750] if victim is first else events[750:]
            send(half, live)
            until(lambda survivor=survivor: owned(survivor) == 4, "the survivor owns all partitions")
            live.wait_idle(PATIENCE, reconciling=False)
            journeys = [one for one in taken_over(survivor) - before if one.startswith("journeys")]
            assert len(journeys) == 2, f"those of the lost worker\n{live.log_tails()}"
            victim.start()
            until(lambda: owned(first) == owned(second) == 2, "both workers own two partitions again")
            live.wait_idle(PATIENCE, reconciling=False)
            time.sleep(3)
        live.wait_idle(PATIENCE)
        assert "begins anew" not in log_of(first) + log_of(second)
        assert "given up" not in log_of(first) + log_of(second)
        replay = replayed(events, live)
        replay.correct(erasure("default", CUSTOMER, UNTIL))
        assert_live_equals(replay, live)
