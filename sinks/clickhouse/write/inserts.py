"""Kafka records as ClickHouse inserts: one block a table, with a token that makes a retry harmless."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from clickhouse_driver import Client

from schemas.consumed import KafkaRecord
from schemas.errors import ContractError
from schemas.settings import ClickHouse
from schemas.topics import Topic
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.erasure.erasure import Erased
from sinks.clickhouse.values import Row
from sinks.clickhouse.write.dedupe import without_superseded
from sinks.clickhouse.write.reading import read
from sinks.clickhouse.write.rows import HISTORY_OF, history_row

#: Rows of one insert: it stays one block, hence atomic in each partition.
MAX_ROWS: Final = 100_000

#: Of the loader's connection. Back-filled history spans more than the 100 partitions a block may have.
SETTINGS: Final = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "insert_block_size": MAX_ROWS,
    "max_partitions_per_insert_block": 0,
}


@dataclass(frozen=True)
class Insert:
    """Rows of one table, column by column. The token is new for each batch and stays for its retries."""

    table: str
    columns: Mapping[str, list[Any]]
    rows: int
    token: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be taken, and why."""

    record: KafkaRecord
    error: ContractError


def prepare(
    records: Iterable[tuple[Topic, KafkaRecord]], erased: Erased | None = None
) -> tuple[list[Insert], list[Rejected]]:
    """What a batch of records (at most MAX_ROWS) becomes; nothing of what was erased."""
    rows: dict[tuple[str, int], list[Row]] = defaultdict(list)
    rejected = []
    for topic, record in without_superseded(records):
        try:
            found = read(topic, record)
        except ContractError as error:
            rejected.append(Rejected(record, error))
        else:
            if found is not None:
                table, row = found
                # a tombstone's row has fewer columns, and goes into a block of its own
                rows[table, len(row)].append(row)
                if table in HISTORY_OF:
                    rows[HISTORY_OF[table], len(row)].append(history_row(row, record.timestamp))
    left = [
        (table, alike if erased is None else erased.left(table, alike)) for (table, _), alike in rows.items()
    ]
    return [_insert(table, alike) for table, alike in left if alike], rejected


def _insert(table: str, rows: Sequence[Row]) -> Insert:
    return Insert(table, {name: [row[name] for row in rows] for name in rows[0]}, len(rows))


class Writer:
    """Writes inserts over one connection, opened when needed and anew after an error; for one thread only."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self._client: Client | None = None

    def write(self, insert: Insert) -> None:
        """Return once rows are durable. Raises UnavailableError, SinkError (retry), SettingsError (stop)."""
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
