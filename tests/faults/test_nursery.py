"""Processes that are forked and not started anew: their exit codes, logs, environments and ends are their own."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nursery import ForkedProcess, Nursery

SECONDS = 60.0
#: Nobody listens on these ports: a loader waits.
AWAY = {"TOUCHLINE_KAFKA_BROKERS": "127.0.0.1:9", "TOUCHLINE_CLICKHOUSE_URL": "clickhouse://127.0.0.1:9/none"}


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    found = Nursery(tmp_path_factory.mktemp("nursery"))
    yield found
    found.stop()


def forked(nursery: Nursery, tmp_path: Path, name: str, **env: str) -> ForkedProcess:
    return ForkedProcess(nursery, name, ["load"], tmp_path / f"{name}.log", AWAY | env)


def test_a_forked_process_ends_as_one_that_was_started_does(nursery: Nursery, tmp_path: Path) -> None:
    wrong = forked(nursery, tmp_path, "wrong", TOUCHLINE_PARTITIONS="many")
    other = forked(nursery, tmp_path, "other")
    wrong.start()
    other.start()
    assert wrong._child.wait(SECONDS) == 1
    assert wrong.log_tail(1).startswith("touchline: ")
    assert "TOUCHLINE_PARTITIONS" in wrong.log_tail(1)
    assert "TOUCHLINE_PARTITIONS" not in other.log_tail(1)

    other.kill()
    assert (other.alive, other.returncode) == (False, -signal.SIGKILL)
    first = other.pid
    other.start()
    assert other.alive
    assert other.pid != first
    with pytest.raises(subprocess.TimeoutExpired):
        other._child.wait(0.01)
    other.signal(signal.SIGSTOP)
    assert other.alive
    other.kill()
    assert other.returncode == -signal.SIGKILL


def test_what_a_nursery_has_forked_ends_with_it(tmp_path: Path) -> None:
    found = Nursery(tmp_path)
    child = forked(found, tmp_path, "child")
    child.start()
    found.stop()
    assert child._child.wait(SECONDS) == -signal.SIGKILL

    child.start()  # by a new one
    assert child.alive
    found.stop()
    assert child._child.wait(SECONDS) == -signal.SIGKILL
