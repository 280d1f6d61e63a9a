"""With a cluster every statement of the migrations says so, and every table is replicated."""

import re

import pytest

from schemas.errors import SettingsError
from schemas.settings import ClickHouse
from sinks.clickhouse.cluster import consistency, on_cluster
from sinks.clickhouse.migrate import MIGRATIONS, read_migrations
from sinks.clickhouse.retention import days_of

ONE = ClickHouse.from_url("clickhouse://h/shop")
MANY = ClickHouse.from_url("clickhouse://h/shop?cluster=main&http_port=8123")
STATEMENTS = [sql for migration in read_migrations(MIGRATIONS) for sql in migration.statements]


def test_without_a_cluster_no_statement_changes() -> None:
    assert [on_cluster(ONE, sql) for sql in STATEMENTS] == STATEMENTS
    assert consistency(ONE) == {}


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: " ".join(sql.split()[:6]))
def test_with_a_cluster_it_runs_on_all_replicas_and_makes_replicated_tables_only(sql: str) -> None:
    found = on_cluster(MANY, sql)
    if sql.startswith("INSERT"):
        assert found == sql
        return
    assert re.match(r"(CREATE|ALTER|DROP) [A-Z ]+ \w+ ON CLUSTER main\b", found)
    engines = re.findall(r"^ENGINE = (\w+)", found, re.MULTILINE)
    assert all(engine.startswith("Replicated") for engine in engines)
    assert bool(engines) == sql.startswith(("CREATE TABLE", "CREATE OR REPLACE TABLE"))
    assert "non_replicated" not in found
    assert "AS SELECT" not in found or not engines


def test_queries_on_a_cluster_see_what_was_acknowledged() -> None:
    assert consistency(MANY)["select_sequential_consistency"] == 1
    with pytest.raises(SettingsError, match="cluster may hold letters"):
        ClickHouse.from_url("clickhouse://h/shop?cluster=a-b;DROP")


def test_the_retention_names_tables_and_days() -> None:
    assert days_of("") == {"dead_letters": 30, "webhook_deliveries": 90}
    chosen = {"touchpoints": 730, "dead_letters": 7, "webhook_deliveries": 90}
    assert days_of("touchpoints=730, dead_letters = 7") == chosen


@pytest.mark.parametrize(
    "text",
    [
        "touchpoints",
        "touchpoint=3",
        "touchpoints=0",
        "touchpoints=-1",
        "touchpoints=99999",
        ",",
        "dead_letters=1;x",
    ],
)
def test_another_retention_is_refused_with_what_it_may_say(text: str) -> None:
    with pytest.raises(SettingsError, match="write NAME=DAYS, where NAME is one of touchpoints, "):
        days_of(text)
