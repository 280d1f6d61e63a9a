"""The Prometheus metrics of a long-running command."""

from prometheus_client import start_http_server

from schemas.errors import SettingsError


def serve_metrics(port: int) -> None:
    """Serve them on loopback from now on. Raises SettingsError if the port cannot be used."""
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        raise SettingsError(f"TOUCHLINE_METRICS_PORT {port} cannot be used: {error.strerror}") from error
