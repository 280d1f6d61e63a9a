"""The Prometheus metrics of a long-running command."""

import errno

from prometheus_client import start_http_server

from schemas.errors import SettingsError


def serve_metrics(host: str, port: int) -> None:
    """Serve them from now on. Raises SettingsError if the address or the port cannot be used."""
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        reason = error.strerror or error
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise SettingsError(f"TOUCHLINE_METRICS_PORT {port} cannot be used: {reason}") from error
        raise SettingsError(
            f"TOUCHLINE_METRICS_HOST is {host}: no address of this machine that metrics can listen on ({reason})"
        ) from error
