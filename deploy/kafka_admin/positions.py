"""Where the consumer groups are, for the erasures of a loader: over a connection that is made when needed."""

from contextlib import suppress
from threading import Lock

from deploy.kafka_admin.lag import OffsetReader
from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.clickhouse.erasure.barrier import Positions


class PositionReader:
    """Reads positions again and again. Close it, or use it as a context manager. Threads take turns."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._offsets: OffsetReader | None = None

    def __enter__(self) -> "PositionReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def read(self) -> Positions:
        """Every group's positions. Raises UnavailableError; the next call connects anew."""
        with self._lock:
            try:
                if self._offsets is None:
                    self._offsets = OffsetReader(self._settings)
                return self._offsets.positions()
            except UnavailableError:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        offsets, self._offsets = self._offsets, None
        if offsets is not None:
            with suppress(UnavailableError):
                offsets.close()
