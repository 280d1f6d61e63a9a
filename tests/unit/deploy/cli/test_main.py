"""The program itself: its version, its exit codes, and outputs that take no more."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

TOUCHLINE = f"{sys.executable} -m deploy.cli"


def shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)


def test_the_version_is_the_distributions_and_names_the_core_that_runs() -> None:
    done = shell(f"{TOUCHLINE} --version")
    assert done.returncode == 0
    assert re.fullmatch(
        rf"touchline {re.escape(version('touchline'))} \(core: (native [0-9.]+|python; .* not installed)\)\n",
        done.stdout,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        "nonsense",
        "simulate --seed x",
        "simulate --seed -1",
        "query",
        "status --nope",
        "worker --loglevel loud",
    ],
)
def test_wrong_usage_ends_with_2_and_no_traceback(arguments: str) -> None:
    done = shell(f"{TOUCHLINE} {arguments}")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error_to_talk_about() -> None:
    done = shell(f"{TOUCHLINE} simulate --events 4000 | head -n 1")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("events", [1, 2000])
def test_a_full_disk_is_one_sentence(events: int) -> None:
    done = shell(f"{TOUCHLINE} simulate --events {events} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "touchline: input or output failed: No space left on device\n"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = shell(f"{TOUCHLINE} simulate --events 1 --out {tmp_path}/no/where")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path}/no/where cannot be written" in done.stderr


def test_a_closed_output_ends_quietly() -> None:
    assert shell(f"{TOUCHLINE} simulate --events 1 >&-").returncode == 0
