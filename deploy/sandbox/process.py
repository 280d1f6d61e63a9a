"""A child process with a log file. It never outlives the process that started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from schemas.errors import UnavailableError

STOP_SECONDS: Final = 15.0  #: between SIGTERM and SIGKILL
_DIE_WITH_PARENT: Final = Path(__file__).with_name("die_with_parent.py")
_POLL_SECONDS: Final = 0.05


class Process:
    """One command, its process and its log. It may be started again after it ended; the log is appended to.

    The child has a process group of its own, so that Ctrl-C in the terminal reaches only the parent, which
    then stops the children in order. `env` is put over the parent's environment.
    """

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = dict(env or {})
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the command. Raises UnavailableError if its program is not there."""
        if self.alive:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        die_with_parent = [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid())]
        with self.log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    [*die_with_parent, *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.env},
                    start_new_session=True,
                )
            except OSError as error:
                raise UnavailableError(f"{self.name} does not start: {error}") from error

    def stop(self, timeout: float = STOP_SECONDS) -> int | None:
        """End it with SIGTERM, after `timeout` seconds with SIGKILL. Returns its exit code."""
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            # a process stopped by SIGSTOP handles SIGTERM only after SIGCONT
            self._child.send_signal(signal.SIGCONT)
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.returncode

    def kill(self) -> None:
        """End it with SIGKILL, at once."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self._child is not None and self.alive:
            self._child.send_signal(number)

    @property
    def pid(self) -> int:
        """Its process id. Raises UnavailableError if it was never started."""
        if self._child is None:
            raise UnavailableError(f"{self.name} was never started")
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs or before it was started."""
        return None if self._child is None else self._child.poll()

    def log_tail(self, lines: int = 6) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def log_ending(self) -> str:
        """The end of its log as part of a sentence."""
        return f"its log {self.log} ends:\n{self.log_tail()}"

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Wait until `ready()`. Raises UnavailableError if it ends or takes over `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.alive:
                raise UnavailableError(f"{self.name} {self.ending()}; {self.log_ending()}")
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{self.name} was not ready after {timeout:.0f} s; {self.log_ending()}"
                )
            time.sleep(_POLL_SECONDS)

    def ending(self) -> str:
        """How it ended, in words."""
        code = self.returncode
        if code is None:
            return "runs"
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was ended by signal {signal.Signals(-code).name}"
