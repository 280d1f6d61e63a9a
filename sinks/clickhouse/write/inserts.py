"""The inserts of the loader, in either of two encodings, and the protocol of their writers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from uuid import uuid4

from schemas.consumed import KafkaRecord
from schemas.errors import ContractError
from schemas.topics import Topic
from sinks.clickhouse.write.encoding.tables import TABLES

#: Rows of one insert. An insert within it is one block, hence atomic in each partition of its table.
MAX_ROWS: Final = 100_000

#: A consumed record, and the topic that it belongs to whatever the prefix of its name.
TopicRecord: TypeAlias = tuple[Topic, KafkaRecord]


def _token() -> str:
    return str(uuid4())


@dataclass(frozen=True)
class RowInsert:
    """Rows of one table, column by column. The deduplication token is new for each batch and stays for its retries."""

    table: str
    columns: Mapping[str, list[Any]]
    rows: int
    token: str = field(default_factory=_token)


@dataclass(frozen=True)
class AvroInsert:
    """Records of one topic and schema as an Avro file. It has a deduplication token, as a RowInsert has."""

    name: str
    topic: str
    records: list[TopicRecord]
    file: bytes
    token: str = field(default_factory=_token)

    @property
    def table(self) -> str:
        """The table that the rows go to."""
        return TABLES[self.name].name

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.records)


@dataclass(frozen=True)
class Rejected:
    """A record that the loader cannot store, and the reason."""

    record: KafkaRecord
    error: ContractError


InsertT = TypeVar("InsertT", contravariant=True)


class Writer(Protocol[InsertT]):
    """Writes inserts of one encoding over one connection; for one thread at a time.

    A writer opens its connection when it needs one, and anew after an error.
    """

    def write(self, insert: InsertT) -> None:
        """Return once the rows are durable. Raises UnavailableError or SinkError (retry), SettingsError (stop)."""

    def close(self) -> None:
        """Close the connection, if there is one."""
