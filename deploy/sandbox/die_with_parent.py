"""Runs a command that the kernel kills when its parent dies, even by kill -9.

Called as `python die_with_parent.py PARENT_PID COMMAND...`. The sandbox runs this file by its path: it starts in a few
milliseconds and imports nothing of Touchline. The signal comes when the *thread* that started the command ends: start
children from a thread that lives as long as the parent. On systems other than Linux the command runs without this
protection.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            sys.exit(f"die_with_parent: prctl failed: {os.strerror(ctypes.get_errno())}")
        # a parent that died before prctl was called sends no signal any more
        if os.getppid() != parent:
            sys.exit("die_with_parent: the parent is gone")
    os.execvp(command[0], command)  # noqa: S606 (a list of arguments, no shell)


if __name__ == "__main__":
    main()
