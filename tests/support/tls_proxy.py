"""A TLS terminator before a server that has no TLS itself: the sandbox's ClickHouse."""

import socket
import ssl
import threading
from contextlib import suppress
from typing import Final

from deploy.ports import LOOPBACK
from tests.support.certificates import Signed

_CHUNK: Final = 65536


class TlsProxy:
    """Listens on loopback and passes on what comes through TLS to `target`. A context manager."""

    def __init__(self, target: int, server: Signed) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(server.certificate, server.key)
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "TlsProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with suppress(OSError):
            raw.settimeout(30)
            secure = self._context.wrap_socket(raw, server_side=True)
            secure.settimeout(None)
            backend = socket.create_connection((LOOPBACK, self._target))
            threading.Thread(target=_copy, args=(secure, backend), daemon=True).start()
            _copy(backend, secure)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
