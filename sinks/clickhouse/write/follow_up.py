"""What follows once a batch of records is durable: the owners of its touchpoints, and which copies count."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clickhouse_driver import Client

from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.write.copies import decide, remember
from sinks.clickhouse.write.native_writer import SETTINGS
from sinks.clickhouse.write.owners import changed_identifiers, rewrite

_SETTINGS: Final = {
    **SETTINGS,
    # A row that is written again equals an earlier one after a merge, a split and a second merge.
    "insert_deduplicate": 0,
    "do_not_merge_across_partitions_select_final": 1,
    "max_query_size": 16 * 1024 * 1024,
}
#: The server's clock may be set back by so much while a batch is written.
_CLOCK_MARGIN_MS: Final = 1_000


class FollowUp:
    """Brings the derived rows up to date; for one thread at a time.

    `now` before the first record of a batch is written, `run` after the last one, and only then Kafka's commit: a batch
    that is delivered again repeats both. Errors: UnavailableError or SinkError (retry), SettingsError (stop).
    """

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self._client: Client | None = None

    def now(self) -> int:
        """The server's time in UTC milliseconds, a margin earlier."""
        with self._asking() as client:
            ((time,),) = client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
        return int(time) - _CLOCK_MARGIN_MS

    def run(self, since: int) -> None:
        """Follow up on everything that any loader has written since, in UTC milliseconds of the server."""
        with self._asking() as client:
            remember(client, since)
            changed = changed_identifiers(client, since)
            rewrite(client, changed)
            decide(client, since, changed)

    def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()

    @contextmanager
    def _asking(self) -> Iterator[Client]:
        try:
            if self._client is None:
                self._client = connect(self._where, _SETTINGS)
            with translated(self._where):
                yield self._client
        except BaseException:
            self.close()
            raise
