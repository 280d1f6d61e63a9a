"""The HTTP server of an operator: `/metrics`, `/healthz` and `/readyz`, in a thread of its own.

It answers while the event loop is stuck, too, and says so.
"""

import errno
import json
import logging
import sys
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from threading import Event, Thread
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from deploy.monitoring.fingerprint import fingerprint
from deploy.monitoring.process import watch_process
from deploy.ports import LOOPBACK
from schemas.errors import SettingsError
from schemas.health import Health
from schemas.measures import gauge, show
from schemas.metrics import process as metrics
from schemas.settings import Settings

log: Final = logging.getLogger("touchline.monitoring")
#: Seconds that a scrape waits for the event loop to bring the gauges up to date: after that it gets the last ones.
REFRESH_SECONDS: Final = 2.0
INFO: Final = gauge(metrics.INFO)
READY: Final = gauge(metrics.READY)


class MetricsServer(ThreadingHTTPServer):
    """Serves one process's health and the metrics of its registry."""

    daemon_threads = True

    def __init__(self, port: int, health: Health, host: str = LOOPBACK) -> None:
        """Listen at an address, a port of 0 for a free one. Raises OSError."""
        self.health = health
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """The address without a path."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def start(self) -> None:
        """Answer from now on."""
        Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()

    def refresh(self) -> None:
        """Bring the gauges up to date, in the event loop if it turns."""
        health = self.health
        show(READY, [((health.process,), float(not health.unready()))])
        loop = health.heartbeat.loop
        if loop is None or not loop.is_running() or health.dead():
            return
        done = Event()
        try:
            loop.call_soon_threadsafe(partial(_call, health.refresh, done))
        except RuntimeError:  # the loop has just ended: the process stops
            return
        done.wait(REFRESH_SECONDS)

    def handle_error(self, *_: Any) -> None:
        """Log what is a bug. One who hangs up before the answer is none, and the log has no other tracebacks."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a question for metrics or health was not answered: a bug, please report it")


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: MetricsServer
    timeout = 10  #: seconds that a request may take to come in

    def do_GET(self) -> None:
        """Answer one request."""
        path, _, _ = self.path.partition("?")
        if path == "/metrics":
            self.server.refresh()
            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, encode(REGISTRY), kind)
        elif path in ("/healthz", "/readyz"):
            health = self.server.health
            problem = health.dead() if path == "/healthz" else health.unready()
            told: dict[str, Any] = (
                {"status": "ok"} if not problem else {"status": "unwell", "problem": problem}
            )
            self._answer(503 if problem else 200, json.dumps(told).encode() + b"\n", "application/json")
        else:
            self._answer(404, b"there are /metrics, /healthz and /readyz\n", "text/plain")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log no requests: there is one every few seconds."""


def serve(settings: Settings, health: Health) -> MetricsServer | None:
    """Serve the metrics and health of this process from now on, None if TOUCHLINE_METRICS_PORT is 0.

    Raises SettingsError if the address or the port cannot be used, or a file of meanings cannot be read.
    """
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        return None
    try:
        server = MetricsServer(port, health, host)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise SettingsError(
                f"TOUCHLINE_METRICS_PORT {port} cannot be used ({error.strerror}): each process needs one of its own"
            ) from error
        raise SettingsError(
            f"TOUCHLINE_METRICS_HOST is {host}: no address of this machine that metrics can listen on"
            f" ({error.strerror or error})"
        ) from error
    INFO.labels(health.process, version("touchline"), health.core, fingerprint(settings)).set(1)
    watch_process()
    server.start()
    return server


def _call(refresh: Callable[[], None], done: Event) -> None:
    try:
        refresh()
    finally:
        done.set()
