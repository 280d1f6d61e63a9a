"""A server of the sandbox: one child process that accepts connections on loopback."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.ports import require_free
from deploy.sandbox.process import STOP_SECONDS, Process
from schemas.errors import UnavailableError

#: A broker needs five, and a minute or two where many others want the same cores.
READY_SECONDS: Final = 180.0


class Server(ABC):
    """Starts, stops and kills the process. A server that ended may be started again, on the same ports."""

    name: str

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises UnavailableError."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start it, and do not wait: some servers answer only once others run. Raises UnavailableError."""
        for port, what, option in self._ports():
            require_free(port, what, option)
        if self.process is None:
            self.process = Process(
                self.name, self._prepare(), self.log_dir / f"{self.name}.log", self._environment()
            )
        self.process.start()

    def await_ready(self) -> None:
        """Wait until what was launched answers, or kill it. Raises UnavailableError."""
        if self.process is None:
            raise UnavailableError(f"{self.name} was never started")
        try:
            self.process.wait_ready(self._answers, READY_SECONDS)
        except BaseException:
            self.process.kill()
            raise

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Shut it down with SIGTERM, after `timeout` seconds with SIGKILL."""
        if self.process is not None:
            self.process.stop(timeout)

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self.process is not None:
            self.process.kill()

    @abstractmethod
    def _ports(self) -> Iterator[tuple[int, str, str]]:
        """Each port that it listens on, what for, and the option that chooses another."""

    @abstractmethod
    def _prepare(self) -> list[str]:
        """Make everything ready and return the command. Raises UnavailableError."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves requests."""

    def _environment(self) -> dict[str, str]:
        """What is put over the environment of the parent."""
        return {}
