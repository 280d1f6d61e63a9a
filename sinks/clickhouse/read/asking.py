"""Queries for the page: read-only, bounded in time, on a few connections that are kept open."""

import asyncio
import queue
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from clickhouse_driver import Client, errors

from schemas.errors import SinkError, TouchlineError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated

Row = dict[str, Any]

#: Queries at a time: the others wait. ClickHouse uses several cores for each.
CONNECTIONS: Final = 4
_TOO_SLOW: Final = 159  #: the server's code for a query that ran out of time
#: Seconds after which the server gives a query up.
PATIENCE_SECONDS: Final = 30
#: The server can neither write nor read for longer, whatever a query says.
SETTINGS: Final[dict[str, int]] = {
    "readonly": 2, "max_execution_time": PATIENCE_SECONDS, "max_result_rows": 20_000, "max_memory_usage": 4 * 1024**3,
    "timeout_before_checking_execution_speed": 0,
}  # fmt: skip


class Asking:
    """Runs queries in threads, each on a connection that no other query uses meanwhile."""

    def __init__(self, where: ClickHouse) -> None:
        self.where = where
        # an analyst's server has limits of its own, and refuses to be told
        self._settings: dict[str, int] = {} if where.limited else SETTINGS
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="page-query")
        self._idle: queue.SimpleQueue[Client] = queue.SimpleQueue()

    async def rows(self, sql: str, values: Mapping[str, Any]) -> list[Row]:
        """The rows of a query, by column. `values` are put in the place of %(name)s, escaped.

        Raises UnavailableError, SinkError or SettingsError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._rows, sql, dict(values))

    async def run(self, work: Any, *arguments: Any) -> Any:
        """Run a function that asks ClickHouse on a connection of its own, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def answers(self) -> bool:
        """Whether ClickHouse answers now."""
        try:
            await self.rows("SELECT 1 AS one", {})
        except TouchlineError:
            return False
        return True

    def close(self) -> None:
        """Close all connections, once running queries have ended."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get_nowait().disconnect()

    def _rows(self, sql: str, values: dict[str, Any]) -> list[Row]:
        client = self._take()
        try:
            try:
                rows, columns = self._execute(client, sql, values)
            except UnavailableError:
                # the server closed an idle connection, or was started again: one attempt on a new one
                client.disconnect()
                client = connect(self.where, self._settings)
                rows, columns = self._execute(client, sql, values)
        except BaseException:
            client.disconnect()
            raise
        self._idle.put(client)
        names = [name for name, _ in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _execute(self, client: Client, sql: str, values: dict[str, Any]) -> Any:
        with translated(self.where):
            try:
                return client.execute(sql, values, with_column_types=True)
            except errors.ServerException as error:
                if error.code != _TOO_SLOW:
                    raise
                raise SinkError(
                    "this takes too long now: choose a shorter time range, or wait a little"
                ) from error

    def _take(self) -> Client:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return connect(self.where, self._settings)
