"""Processes that are forked and not started anew: their exit codes, logs, environments and ends are their own."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.nursery import ForkedProcess, Nursery
from tests.integration.processes import wait_until

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
    wait_until(lambda: not wrong.alive, SECONDS)
    assert wrong.returncode == 1
    assert wrong.log_tail(1).startswith("touchline: ")
    assert "TOUCHLINE_PARTITIONS" in wrong.log_tail(1)
    assert "TOUCHLINE_PARTITIONS" not in other.log_tail(1)

    other.kill()
    assert (other.alive, other.returncode) == (False, -signal.SIGKILL)
    first = other.pid
    other.start()
    assert other.alive
    assert other.pid != first
    other.signal(signal.SIGSTOP)
    assert other.alive
    other.kill()
    assert other.returncode == -signal.SIGKILL


def test_what_a_nursery_has_forked_ends_with_it(tmp_path: Path) -> None:
    found = Nursery(tmp_path)
    child = forked(found, tmp_path, "child")
    child.start()
    found.stop()
    wait_until(lambda: not child.alive, SECONDS)
    assert child.returncode == -signal.SIGKILL

    child.start()  # by a new one
    assert child.alive
    found.stop()
    wait_until(lambda: not child.alive, SECONDS)
    assert child.returncode == -signal.SIGKILL


def test_who_waits_for_a_process_that_goes_on_is_told_so(nursery: Nursery, tmp_path: Path) -> None:
    goes_on = forked(nursery, tmp_path, "goes-on")
    child = nursery.fork(goes_on.command, goes_on.log, goes_on.env)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.01)
    child.kill()
    assert child.wait(SECONDS) == -signal.SIGKILL
