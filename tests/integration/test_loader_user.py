"""With the rights that `touchline migrate --print-loader` gives, the loader loads, reconciles and erases."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clickhouse_driver import errors

from deploy.sandbox import ClickHouseServer
from schemas.settings import ClickHouse
from sinks.clickhouse.analyst import Readable, users_xml
from sinks.clickhouse.connection import connect
from sinks.clickhouse.loader_user import LoaderUser, loader_statements, loader_xml
from tests.integration.parts import deployment
from tests.integration.processes import wait_until
from tests.integration.test_pipeline import send
from tests.support.touchpoints import touchpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

LOADER = LoaderUser("touchline_loader", "of the loader")
REFUSED = 497


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server with the loader's user; its rights are on any database whose name begins with test_."""
    folder = tmp_path_factory.mktemp("loader-user")
    users = users_xml([], "none", Readable(), with_default=True)
    users = users.replace("<users>", f"<users>{loader_xml('test_*', LOADER)}")
    made = ClickHouseServer(folder / "data", folder, users=users)
    made.start()
    yield made
    made.stop()


def as_loader(where: ClickHouse) -> ClickHouse:
    return replace(where, user=LOADER.user, password=LOADER.password)


def url_of(where: ClickHouse) -> str:
    password = where.password.replace(" ", "%20")
    return f"clickhouse://{where.user}:{password}@{where.host}:{where.port}/{where.database}?http_port={where.http_port}"


def test_it_loads_reconciles_and_erases_and_is_refused_everything_else(tansu, server, tmp_path: Path) -> None:
    with deployment(tansu, server, loader=False, log_dir=tmp_path) as live:
        administrator = live.settings
        loader = as_loader(administrator.clickhouse())
        live.settings = replace(administrator, clickhouse_url=url_of(loader))
        live.start_loader()
        live.settings = administrator
        first = [
            touchpoint("e1", minute=1, ids=[("cookie", "a")]),
            touchpoint("e2", minute=2, ids=[("cookie", "b")]),
        ]
        send(first, live)
        live.wait_idle(reconciling=False)
        send([touchpoint("e3", minute=3, ids=[("customer_id", "C"), ("cookie", "a"), ("cookie", "b")])], live)
        live.wait_idle(reconciling=False)
        send([touchpoint("gone", minute=4, ids=[("cookie", "b")], type="erasure_requested")], live)
        live.wait_idle(reconciling=False)
        wait_until(
            lambda: bool(live.query("SELECT count() FROM erasure_receipts WHERE deleted != map()")[0][0])
        )
        assert live.query("SELECT DISTINCT event_id FROM touchpoints_current ORDER BY event_id") == [
            ("e1",),
            ("e3",),
        ]
        assert live.query("SELECT count() FROM journeys")[0][0] >= 1

        client = connect(loader)
        for sql in (
            "CREATE TABLE other (n Int32) ENGINE = Memory", "DROP TABLE raw_touchpoints",
            "TRUNCATE TABLE raw_touchpoints",
            "ALTER TABLE raw_touchpoints ADD COLUMN x Int32", "CREATE USER somebody",
            "CREATE DATABASE other", "SELECT * FROM url('http://127.0.0.1:1', 'CSV', 'a String')", "SYSTEM SHUTDOWN",
            "SELECT * FROM system.users",
        ):  # fmt: skip
            with pytest.raises(errors.ServerException) as refused:
                client.execute(sql)
            assert refused.value.code == REFUSED, sql
        client.disconnect()


def test_an_administrator_s_server_reads_the_statements(clickhouse: ClickHouseServer) -> None:
    """The sandbox makes no users by SQL (code 514), after it has read the statement."""
    client = connect(ClickHouse.from_url(clickhouse.url_of("default")))
    for sql in loader_statements(ClickHouse("h", 1, "u", "p", "shop"), LOADER):
        assert LOADER.password not in sql
        client.execute(f"EXPLAIN AST {sql}")
    client.disconnect()
