"""Writes rows to ClickHouse over its native protocol."""

from typing import Final

from clickhouse_driver import Client

from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.write.inserts import MAX_ROWS, RowInsert

#: Settings of the loader's connection. History that is loaded late spans more than the 100 partitions a block may have.
SETTINGS: Final = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    # Rows that another one of their batch supersedes go when parts are merged, which reads all rows anyway.
    "optimize_on_insert": 0,
    "insert_block_size": MAX_ROWS,
    "max_partitions_per_insert_block": 0,
}


class NativeWriter:
    """Writes rows. A Writer[RowInsert] (inserts.py)."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self._client: Client | None = None

    def write(self, insert: RowInsert) -> None:
        """Return once the rows are durable. Raises UnavailableError or SinkError (retry), SettingsError (stop)."""
        try:
            if self._client is None:
                self._client = connect(self._where, SETTINGS)
            with translated(self._where):
                # The driver returns after the server's END_OF_STREAM: the part is on disk.
                self._client.execute(
                    f"INSERT INTO {insert.table} ({', '.join(insert.columns)}) VALUES",
                    list(insert.columns.values()),
                    columnar=True,
                    settings={"insert_deduplication_token": insert.token},
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()
