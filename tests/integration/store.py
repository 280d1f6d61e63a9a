"""A ClickHouse database of a test's own, which topics are loaded into without Kafka."""

import uuid
from typing import Any

from clickhouse_driver import Client

from deploy.sandbox import ClickHouseServer
from schemas.errors import UnavailableError
from schemas.settings import ClickHouse
from schemas.topics import Topic
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.native_writer import NativeWriter
from sinks.clickhouse.write.prepare import prepare
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from tests.support.kafka_records import Consumed


class Store:
    """A migrated database of a test's own."""

    def __init__(self, where: ClickHouse) -> None:
        self.where = where
        self.client: Client = connect(where)
        self.rows = NativeWriter(where)
        self.reconciliation = Reconciliation(where, margin_ms=0)

    def load(self, topic: Topic, *values: bytes | None, **more: Any) -> None:
        records = [(topic, Consumed(value, offset=n, **more)) for n, value in enumerate(values)]
        inserts, rejected = prepare(records)
        assert not rejected
        for insert in inserts:
            self.rows.write(insert)
        self.reconcile()

    def reconcile(self) -> None:
        """What a loader does beside loading. Nothing is being written meanwhile, so no margin is needed."""
        self.reconciliation.run_all()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.client.execute(sql)

    def close(self) -> None:
        """Drop the database: a server slows down with each one that it keeps."""
        drop(self.where)
        self.disconnect()

    def disconnect(self) -> None:
        """Leave the database as it is."""
        self.client.disconnect()
        self.rows.close()
        self.reconciliation.close()


def database(clickhouse: ClickHouseServer) -> ClickHouse:
    """The address of a new database; it does not exist yet."""
    return ClickHouse.from_url(clickhouse.url_of(f"test_{uuid.uuid4().hex[:10]}"))


def drop(where: ClickHouse) -> None:
    """Drop a test's database, if it exists; a server that is gone has nothing to drop."""
    try:
        client = connect(where, use=False)
    except UnavailableError:
        return
    client.execute(f"DROP DATABASE IF EXISTS {where.database} SYNC")
    client.disconnect()


def migrated(clickhouse: ClickHouseServer) -> ClickHouse:
    """The address of a new database with all tables."""
    where = database(clickhouse)
    migrate(where)
    return where
