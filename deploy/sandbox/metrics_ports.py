"""A port for the metrics of each process of the sandbox, and the file in which Prometheus finds them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.ports import LAST_PORT, LOOPBACK, require_free
from schemas.errors import SettingsError

#: As Prometheus's file_sd_configs reads it (deploy/prometheus/prometheus.yml).
TARGETS: Final = "prometheus-targets.json"


def metrics_ports(first: int, names: list[str], folder: Path, say: Callable[[str], object]) -> dict[str, int]:
    """Ports from `first` (TOUCHLINE_METRICS_PORT) on, written to TARGETS in the folder; all are 0 if that is 0.

    Raises SettingsError if the ports do not suffice, or one is taken.
    """
    if not first:
        return dict.fromkeys(names, 0)
    ports = {name: first + number for number, name in enumerate(names)}
    last = max(ports.values())
    if last > LAST_PORT:
        raise SettingsError(
            f"TOUCHLINE_METRICS_PORT is {first}, and {len(names)} processes need a port each: ports end at {LAST_PORT}"
        )
    for name, port in ports.items():
        require_free(port, f"the metrics of {name}", "TOUCHLINE_METRICS_PORT")
    targets = [{"targets": [f"{LOOPBACK}:{port}"], "labels": {"name": name}} for name, port in ports.items()]
    file = folder / TARGETS
    file.write_text(json.dumps(targets, indent=1) + "\n")
    say(f"metrics: ports {first} to {last}; Prometheus finds them in {file}")
    return ports
