"""A folder belongs to one `touchline up` at a time, and to nobody once that has ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.sandbox.lock import locked
from schemas.errors import UnavailableError


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    with locked(tmp_path / "data"):
        with pytest.raises(UnavailableError, match=f"process {os.getpid()}: stop that one"):
            locked(tmp_path / "data").__enter__()
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "data"):
        pass


def test_a_holder_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from deploy.sandbox.lock import locked
with locked(Path({str(tmp_path)!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    with locked(tmp_path):
        pass
