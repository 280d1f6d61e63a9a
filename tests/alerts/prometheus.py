"""A Prometheus with Touchline's own rules, made faster, that reads the processes of a test."""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.ports import LOOPBACK, free_port
from deploy.prometheus.render import rules
from deploy.sandbox import Process

#: Every duration of the rules, and what piles up with time, is divided by it: 15 minutes are 30 seconds.
FASTER = 30
#: The 15 seconds of deploy/prometheus/prometheus.yml, divided.
INTERVAL = f"{15_000 // FASTER}ms"


class Prometheus:
    """Asks each target twice a second, and judges as often."""

    def __init__(self, program: str, folder: Path) -> None:
        self.url = f"http://{LOOPBACK}:{(port := free_port())}"
        folder.mkdir()
        (folder / "rules.yml").write_text(rules(FASTER))
        self._targets = folder / "targets.json"
        config = folder / "prometheus.yml"
        intervals = {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL, "scrape_timeout": INTERVAL}
        found = {"files": [str(self._targets)], "refresh_interval": "1s"}
        job = {"job_name": "touchline", "file_sd_configs": [found]}
        config.write_text(
            json.dumps({"global": intervals, "rule_files": ["rules.yml"], "scrape_configs": [job]})
        )
        command = [
            program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
        ]  # fmt: skip
        self.process = Process("prometheus", command, folder / "prometheus.log")

    def watch(self, ports: Mapping[str, int]) -> None:
        """Read these processes and no others from now on: name of each → port of its metrics."""
        targets = [
            {"targets": [f"{LOOPBACK}:{port}"], "labels": {"name": name}} for name, port in ports.items()
        ]
        self._targets.write_text(json.dumps(targets))

    def firing(self) -> dict[str, set[str]]:
        """The alerts that fire now, and the processes that each is about ("" for one about all of them)."""
        found: dict[str, set[str]] = {}
        for one in self._get("/api/v1/alerts")["alerts"]:
            if one["state"] == "firing":
                found.setdefault(one["labels"]["alertname"], set()).add(one["labels"].get("name", ""))
        return found

    def ask(self, query: str) -> list[Any]:
        """The answer to a query now: for a test that has waited in vain."""
        answer: list[Any] = self._get(f"/api/v1/query?{urllib.parse.urlencode({'query': query})}")["result"]
        return answer

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            self.firing()
        except OSError:
            return False
        return True

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)["data"]
