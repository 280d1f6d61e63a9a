"""Retention as a setting, and the cluster's statements as ClickHouse parses them."""

import pytest

from schemas.settings import ClickHouse
from sinks.clickhouse.cluster import on_cluster
from sinks.clickhouse.migrate import MIGRATIONS, read_migrations
from sinks.clickhouse.retention import keep
from tests.integration.store import Store

pytestmark = pytest.mark.sandbox

_FILL = """
    INSERT INTO raw_touchpoints (tenant, event_id, occurred_at)
    SELECT 't', 'e', arrayJoin([toDateTime64('1950-01-01', 3, 'UTC'), toDateTime64('2200-01-01', 3, 'UTC'),
        now64(3) - toIntervalDay(99), now64(3) - toIntervalDay(101)])
"""


def test_rows_older_than_their_retention_go_and_without_one_they_stay(store: Store) -> None:
    assert keep(store.where, "") == []
    assert keep(store.where, "touchpoints=100") == ["raw_touchpoints"]
    assert keep(store.where, "touchpoints=100") == []
    store.query(_FILL)
    store.query("OPTIMIZE TABLE raw_touchpoints FINAL")
    years = "SELECT toYear(occurred_at) > 2150 AS later FROM raw_touchpoints ORDER BY later"
    assert store.query(years) == [(0,), (1,)]

    assert keep(store.where, "dead_letters=7") == ["raw_touchpoints", "dead_letters"]
    store.query("TRUNCATE TABLE raw_touchpoints")
    store.query(_FILL)
    store.query("OPTIMIZE TABLE raw_touchpoints FINAL")
    assert store.query("SELECT count() FROM raw_touchpoints") == [(4,)]
    assert keep(store.where, "") == ["dead_letters"]


def test_clickhouse_understands_every_statement_of_a_cluster(store: Store) -> None:
    many = ClickHouse.from_url("clickhouse://h/shop?cluster=main")
    for migration in read_migrations(MIGRATIONS):
        for sql in migration.statements:
            text = on_cluster(many, sql).replace("/* credentials */", "USER 'u' PASSWORD 'p'")
            ((formatted,),) = store.client.execute("SELECT formatQuery(%(sql)s)", {"sql": text})
            assert formatted.startswith("INSERT") or "ON CLUSTER main" in formatted
