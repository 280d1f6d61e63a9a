"""Run a command that the kernel kills when its parent dies, even by kill -9.

Called as `python leash.py PARENT_PID COMMAND...`.
A file of its own, run by path, so that it starts in a few milliseconds and imports nothing of Touchline. The
kernel ties the leash to the *thread* that started the command: start children from a thread that stays.
On other systems than Linux there is no leash, and the command simply runs.
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
            sys.exit(f"leash: prctl failed: {os.strerror(ctypes.get_errno())}")
        # the parent may have died before the leash was on: then nobody will ever pull it
        if os.getppid() != parent:
            sys.exit("leash: the parent is gone")
    os.execvp(command[0], command)  # noqa: S606 (a list of arguments, no shell)


if __name__ == "__main__":
    main()
