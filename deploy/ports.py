"""Ports on loopback: find a free one, say clearly when a wanted one is taken."""

import errno
import socket
from typing import Final

from schemas.errors import UnavailableError

LOOPBACK: Final = "127.0.0.1"
LAST_PORT: Final = 65535


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, what: str, option: str) -> None:
    """Raise UnavailableError if `port` is taken; the sentence names the option that chooses another."""
    with socket.socket() as probe:
        # as servers do: a connection in TIME_WAIT does not occupy the port
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UnavailableError(f"port {port} for {what} cannot be used: {error.strerror}") from error
            raise UnavailableError(
                f"port {port} for {what} is taken: stop what listens there or choose another with {option}"
            ) from error


def listens(host: str, port: int, timeout: float = 1.0) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False
