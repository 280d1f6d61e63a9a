"""Look at processes of this machine, and wait for what they do."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PATIENCE = 60.0


def children_of(parent: int) -> dict[int, str]:
    """Process ids and command lines of a process's children."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                command = (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(stat.parent.name)] = command
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for a condition, and fail when it takes longer than anyone's patience."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wait_gone(pids: Iterable[int]) -> None:
    """Wait until none of the processes runs."""
    wait_until(lambda: not any(alive(pid) for pid in pids))


def kill_at_work(process: subprocess.Popen[str], seconds: float) -> None:
    """Kill -9 a process after some seconds of its work, and fail if it ended before."""
    time.sleep(seconds)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
