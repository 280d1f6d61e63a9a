"""The image's health check: what it says of a process that answers, ails, or is away."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.container.health import problem
from deploy.ports import free_port

CHECK = Path(__file__).parents[4] / "deploy" / "container" / "health.py"


class Process:
    """Something that answers on a metrics port as it is told."""

    def __init__(self) -> None:
        self.status, told = 200, self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(told.status if self.path == "/healthz" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
        self.environ = {"TOUCHLINE_METRICS_PORT": str(self.server.server_port)}


@pytest.fixture
def process() -> Iterator[Process]:
    running = Process()
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


@pytest.mark.parametrize("host", [{}, {"TOUCHLINE_METRICS_HOST": "0.0.0.0"}])
def test_a_process_that_answers_is_healthy(process: Process, host: dict[str, str]) -> None:
    assert problem(process.environ | host) is None


def test_a_process_that_says_that_it_is_ill_is_not(process: Process) -> None:
    process.status = 503
    assert "answers 503" in (problem(process.environ) or "")


def test_a_process_that_does_not_answer_is_not() -> None:
    assert "nothing answers" in (problem({"TOUCHLINE_METRICS_PORT": str(free_port())}) or "")


@pytest.mark.parametrize("environ", [{}, {"TOUCHLINE_METRICS_PORT": "0"}])
def test_a_command_without_metrics_is_healthy_while_it_runs(environ: dict[str, str]) -> None:
    assert problem(environ) is None


def test_the_file_runs_alone(process: Process, tmp_path: Path) -> None:
    def run(environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", str(CHECK)]
        return subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True)

    assert run(process.environ).returncode == 0
    process.status = 500
    ill = run(process.environ)
    assert ill.returncode == 1
    assert "answers 500" in ill.stderr
