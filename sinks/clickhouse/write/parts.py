"""How many parts ClickHouse keeps of a partition: too many slow inserts down, and then stop them."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from schemas.errors import TouchlineError
from schemas.measures import show
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.write import metrics

LOOK_SECONDS: Final = 30.0
_QUESTION: Final = """\
SELECT table, max(parts) FROM (
    SELECT table, partition, count() AS parts FROM system.parts
    WHERE active AND database = currentDatabase() GROUP BY table, partition
) GROUP BY table"""

_log = logging.getLogger("touchline.loader")


class Parts:
    """Asks now and then, while somebody wants to know. `clock` counts seconds."""

    def __init__(self, where: ClickHouse, clock: Callable[[], float] = time.monotonic) -> None:
        self._where = where
        self._clock = clock
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def refresh(self) -> None:
        """Ask in the background, if nobody has for LOOK_SECONDS. The gauge shows the newest answer."""
        if self._clock() - self._asked_at >= LOOK_SECONDS and (self._asking is None or self._asking.done()):
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Wait for the question under way, if there is one."""
        if self._asking is not None:
            await asyncio.wait({self._asking})

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(self._ask)
        except TouchlineError as error:  # the loader itself says so where it matters
            _log.debug("the parts of ClickHouse's tables are not known: %s", error)
        else:
            show(metrics.PARTS, (((table,), count) for table, count in found))

    def _ask(self) -> list[Any]:
        client = connect(self._where)
        try:
            with translated(self._where):
                rows: list[Any] = client.execute(_QUESTION)
                return rows
        finally:
            client.disconnect()
