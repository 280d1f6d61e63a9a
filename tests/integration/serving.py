"""`touchline serve` as a process of its own, and clients of its streams that survive it."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from deploy.ports import free_port
from deploy.sandbox import Process
from tests.integration.parts import TOUCHLINE, Deployment


class Answered(NamedTuple):
    status: int
    body: Any
    headers: http.client.HTTPMessage


class ServeProcess:
    """`touchline serve` on a port and with a table that it keeps when it is started again."""

    def __init__(self, live: Deployment, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.table = folder / "states.db"
        command = [*TOUCHLINE, "serve", "--port", str(self.port), "--table", str(self.table), *options]
        self.process = Process("serve", command, folder / "serve.log", live.settings.to_env())

    def start(self, timeout: float = 60.0) -> None:
        """Start, and wait until it is ready."""
        self.process.start()
        deadline = time.monotonic() + timeout
        while not self._ready():
            assert self.process.alive, self.process.log_tail(20)
            assert time.monotonic() < deadline, f"not ready in {timeout} s\n{self.process.log_tail(20)}"
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def get(self, path: str, **headers: str) -> Answered:
        return self._ask(
            "GET", path, None, {name.replace("_", "-"): value for name, value in headers.items()}
        )

    def post(self, path: str, body: Any) -> Answered:
        return self._ask("POST", path, json.dumps(body), {"Content-Type": "application/json"})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            return Answered(response.status, json.loads(text) if text else None, response.headers)
        finally:
            connection.close()


class Client(threading.Thread):
    """Reads a stream for ever, as an EventSource does; one that does not `resume` forgets the last id."""

    def __init__(self, port: int, path: str, *, resume: bool = True) -> None:
        super().__init__(daemon=True)
        self._port, self._path, self._resume = port, path, resume
        self.last_id = ""
        self.events: list[tuple[str, Any]] = []
        self.refused: list[int] = []
        self.listening = threading.Event()
        self._stopped = False

    def run(self) -> None:
        while not self._stopped:
            with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
                self._read()
            self.listening.clear()
            if not self._resume:
                self.last_id = ""
            time.sleep(0.05)

    def stop(self) -> None:
        self._stopped = True
        self.join(30)

    def _read(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        try:
            headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                self.refused.append(response.status)
                return
            seen, name, data = "", "message", ""
            while not self._stopped and (line := response.readline().decode()):
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "id":
                    seen = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif line == "\n":
                    if data:
                        self.events.append((name, json.loads(data)))
                    if seen:
                        self.last_id = seen
                        self.listening.set()
                    seen, name, data = "", "message", ""
        finally:
            connection.close()


@contextmanager
def serve(live: Deployment, folder: Path, *options: str) -> Iterator[ServeProcess]:
    """A service that has caught up."""
    running = ServeProcess(live, folder, *(options or ("--open",)))
    running.start()
    try:
        yield running
    finally:
        running.process.stop(timeout=8)
