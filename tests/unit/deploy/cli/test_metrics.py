"""Where the metrics of a long-running command are served."""

import socket

import pytest

from deploy.cli.metrics import serve_metrics
from schemas.errors import SettingsError


@pytest.mark.parametrize("host", ["everywhere.invalid", "192.0.2.1"])
def test_an_address_that_is_not_this_machines_is_refused_by_its_setting(host: str) -> None:
    with pytest.raises(SettingsError, match=f"TOUCHLINE_METRICS_HOST is {host}"):
        serve_metrics(host, 0)


def test_a_port_that_is_taken_is_refused_by_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="TOUCHLINE_METRICS_PORT"):
            serve_metrics("127.0.0.1", taken.getsockname()[1])
