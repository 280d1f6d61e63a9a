"""`touchline page` as a process of its own, and what a browser would ask it."""

import http.client
import json
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deploy.ports import free_port
from deploy.sandbox import Process
from tests.integration.parts import TOUCHLINE, Deployment


class Answered(NamedTuple):
    """An answer of the page."""

    status: int
    text: str
    headers: http.client.HTTPMessage


class PageProcess:
    """`touchline page` on a port that it keeps when it is started again."""

    def __init__(self, live: Deployment, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [*TOUCHLINE, "page", "--port", str(self.port), "--loglevel", "INFO", *options]
        self.process = Process("page", command, folder / "page.log", live.settings.to_env())

    def start(self) -> None:
        """Start, and wait until it listens."""
        self.process.start()
        deadline = time.monotonic() + 30
        while True:
            try:
                self.get("/health")
            except OSError:
                assert self.process.alive, self.process.log_tail(20)
                assert time.monotonic() < deadline, f"not listening in 30 s\n{self.process.log_tail(20)}"
                time.sleep(0.05)
            else:
                return

    def get(self, path: str, data: dict[str, str] | None = None, **headers: str) -> Answered:
        """GET, or POST a form; redirects are not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if data is None:
                connection.request("GET", path, headers=sent)
            else:
                sent["Content-Type"] = "application/x-www-form-urlencoded"
                connection.request("POST", path, urllib.parse.urlencode(data), sent)
            response = connection.getresponse()
            return Answered(response.status, response.read().decode(), response.headers)
        finally:
            connection.close()

    @contextmanager
    def changes(self, tenant: str = "default") -> Iterator[Iterator[dict[str, Any]]]:
        """The stream of changes: what an EventSource would be told."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", f"/t/{tenant}/live")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        try:
            yield (
                json.loads(line[6:]) for line in iter(response.readline, b"") if line.startswith(b"data: ")
            )
        finally:
            connection.sock.close() if connection.sock else None
            response.close()
            connection.close()


@contextmanager
def page(live: Deployment, folder: Path, *options: str) -> Iterator[PageProcess]:
    """A running page."""
    running = PageProcess(live, folder, *options)
    running.start()
    try:
        yield running
    finally:
        running.process.stop(timeout=8)
