"""Starts workers and loaders in a few milliseconds: a process that has imported everything forks them.

A trial starts five processes as a rule, and importing took most of its CPU time. A process that is forked is one of its
own in every other way: kill -9, SIGSTOP and its log hit it alone. `python -m tests.faults.nursery SOCKET` listens on a
Unix socket. Each connection asks for one process by a line of JSON, and gets a line with its process id, and a line
with its exit code once it has ended.
"""

import ctypes
import gc
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from deploy.sandbox import Process
from deploy.sandbox.die_with_parent import PR_SET_PDEATHSIG
from schemas.errors import UnavailableError

START_SECONDS = 120.0
#: What numpy starts as it is imported would not be there in a fork.
NO_THREADS = {"OPENBLAS_NUM_THREADS": "1"}


class Nursery:
    """The process that forks, from the side of those that ask it."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "nursery"
        command = [sys.executable, "-m", "tests.faults.nursery", str(self._socket)]
        self._process = Process("nursery", command, folder / "nursery.log", NO_THREADS)

    def start(self) -> None:
        """Import everything, if that is not done. Raises UnavailableError if it fails."""
        if self._process.alive:
            return
        self._socket.unlink(missing_ok=True)
        self._process.start()
        self._process.wait_ready(self._socket.exists, START_SECONDS)

    def stop(self) -> None:
        """End it; what it has forked ends with it."""
        self._process.kill()
        self._socket.unlink(missing_ok=True)

    def fork(self, arguments: Sequence[str], log: Path, env: Mapping[str, str]) -> "Forked":
        """Start what `python -m tests.faults.variants` starts. Raises UnavailableError without an answer."""
        self.start()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._socket))
            asked = {"arguments": list(arguments), "log": str(log), "env": {**os.environ, **env}}
            connection.sendall(json.dumps(asked).encode() + b"\n")
            return Forked(connection)
        except (OSError, ValueError) as error:
            connection.close()
            raise UnavailableError(
                f"the nursery forks nothing: {error}; {self._process.log_ending()}"
            ) from error


class Forked:
    """A process that a nursery has forked, with what `Process` uses of a Popen."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("rb")
        self._connection = connection
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._read(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired after so many seconds."""
        found = self._read(timeout)
        if found is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return found

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _read(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if selector.select(timeout):
                    # a nursery that is gone has taken it along
                    self.returncode = int(self._lines.readline() or -signal.SIGKILL)
                    self._lines.close()
                    self._connection.close()
        return self.returncode


class ForkedProcess(Process):
    """As the process that `python -m tests.faults.variants` starts, but forked."""

    def __init__(
        self, nursery: Nursery, name: str, arguments: Sequence[str], log: Path, env: Mapping[str, str]
    ) -> None:
        super().__init__(name, arguments, log, env)
        self._nursery = nursery

    def start(self) -> None:
        """Fork it. Raises UnavailableError if the nursery does not answer."""
        if not self.alive:
            self._child: Any = self._nursery.fork(self.command, self.log, self.env)


def main(path: str) -> NoReturn:
    """Fork whatever is asked for, until this process is killed."""
    from tests.faults import variants  # noqa: F401 (what it imports is what this process is for)

    gc.collect()
    gc.freeze()
    asking = socket.socket(socket.AF_UNIX)
    ready = Path(f"{path}.new")
    asking.bind(str(ready))
    asking.listen(64)
    ended, wakes = socket.socketpair()
    ended.setblocking(False)
    wakes.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    ready.rename(path)
    with selectors.DefaultSelector() as selector:
        selector.register(asking, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is asking:
                    connection, _ = asking.accept()
                    with connection.makefile("rb") as lines:
                        asked = json.loads(lines.readline())
                    pid = os.fork()
                    if pid == 0:
                        _become(asked)
                    running[pid] = connection
                    connection.sendall(b"%d\n" % pid)
                else:
                    ended.recv(4096)
            _reap(running)


def _reap(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        connection = running.pop(pid)
        with suppress(OSError):  # who asked for it may be gone
            connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        connection.close()


def _become(asked: dict[str, Any]) -> NoReturn:
    """Turn this fork into the process that is asked for."""
    from tests.faults import variants

    code = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.closerange(3, 1024)
        os.environ.clear()
        os.environ.update(asked["env"])
        random.seed()
        command, *changes = asked["arguments"]
        sys.argv = [*sys.argv[:1], command]
        variants.start(command, changes)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 (as an interpreter ends that nobody has forked)
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
