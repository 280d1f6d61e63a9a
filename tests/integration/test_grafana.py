"""The operations dashboard's queries on a real Prometheus, which reads the metrics of loader and collector."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import start_http_server

from deploy.grafana.dashboards import BOARDS
from sinks.clickhouse.write import metrics as loader_metrics
from streams.collect import metrics as collector_metrics
from tests.integration.processes import wait_until

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]

QUERIES = [asked.text for board in BOARDS for asked in board.panels if asked.source == "prometheus"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has read the metrics of this process, which are those of both modules."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not on PATH: apt-get install prometheus")
    assert loader_metrics
    assert collector_metrics
    folder: Path = tmp_path_factory.mktemp("prometheus")
    metrics, port = free_port(), free_port()
    server, thread = start_http_server(metrics, addr="127.0.0.1")
    target = {"job_name": "touchline", "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}]}
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}))
    url = f"http://127.0.0.1:{port}"
    running = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: ask(url, 'up{job="touchline"} == 1'))
        yield url
    finally:
        running.terminate()
        running.wait(timeout=30)
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str, query: str) -> list[Any]:
    """The answer to a query; nothing while Prometheus does not answer yet. A wrong query raises HTTPError."""
    try:
        with urllib.request.urlopen(
            f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        ) as answer:
            found = json.load(answer)
    except ConnectionError:
        return []
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 503:  # it starts
                return []
            raise
    except urllib.error.URLError:
        return []
    assert found["status"] == "success"
    result: list[Any] = found["data"]["result"]
    return result


@pytest.mark.parametrize("query", QUERIES)
def test_prometheus_takes_the_query_of_a_panel(prometheus: str, query: str) -> None:
    assert isinstance(ask(prometheus, query.replace("$__rate_interval", "1m")), list)


def test_a_query_that_is_none_is_refused(prometheus: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(prometheus, "rate(touchline_loader_rows_total[")
    refused.value.close()
