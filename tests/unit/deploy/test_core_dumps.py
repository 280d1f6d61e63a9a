"""A crash writes no file of the memory, in which keys and addresses are."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

#: With a limit that allows it, end as abort() does; perhaps after what `touchline` does first.
CRASH = """
import os, resource, sys
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
planted = "ada.lovelace.9321@example.org" * 1000
{first}
os.abort()
"""
GUARDED = "from deploy.cli.main import _leave_no_core_dump; _leave_no_core_dump()"


def cores(folder: Path, first: str) -> list[Path]:
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", CRASH.format(first=first)],
        cwd=folder,
        env={"PYTHONPATH": str(root)},
        check=False,
    )
    return [path for path in folder.iterdir() if path.name.startswith("core")]


def test_a_crash_of_touchline_leaves_no_core_dump(tmp_path: Path) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern")
    if not pattern.exists() or pattern.read_text().strip() not in ("core", "core.%p"):
        pytest.skip("the kernel does not write core dumps beside the process here")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("nobody may write core dumps here")
    assert cores(tmp_path, GUARDED) == []
    (found,) = cores(tmp_path, "")
    assert b"ada.lovelace.9321@example.org" in found.read_bytes(), "the control: without it there is one"
