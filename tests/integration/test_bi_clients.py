"""docs/connect.md, tried: notebooks and BI tools read the views as the analyst, over HTTP and the native protocol."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.analyst import Analyst, Readable, make_analyst, users_xml
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force
from tests.integration.collecting import CLIENTS, python_clients
from tests.integration.store import Store
from tests.support.kafka_records import resolved_bytes

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]

DOCUMENT = Path(__file__).parents[2] / "docs" / "connect.md"
ANALYST = Analyst("analyst", "secret")


@pytest.fixture
def server(tmp_path: Path) -> Any:
    server = ClickHouseServer(
        tmp_path / "data", tmp_path, users=users_xml([ANALYST], "touchline", Readable(), with_default=True)
    )
    server.start()
    where = ClickHouse.from_url(server.url)
    migrate(where)
    put_in_force(where, meanings(Settings()))
    make_analyst(where, ANALYST)
    store = Store(where)
    types = ("shipment_late", "support_call", "home")
    store.load(
        topics.JOURNEY_INPUTS, *[resolved_bytes(f"e{n}", minute=n, type=name) for n, name in enumerate(types)]
    )
    store.close()
    yield server
    server.stop()


def test_clickhouse_connect_pandas_and_both_sqlalchemy_dialects_read_questions_as_the_analyst(
    server: ClickHouseServer,
) -> None:
    told = {
        "HOST": "127.0.0.1", "PORT": str(server.port), "HTTP_PORT": str(server.http_port), "ANALYST": ANALYST.user,
        "PASSWORD": ANALYST.password, "DATABASE": "touchline",
    }  # fmt: skip
    python = python_clients("bi.txt") / "bin" / "python"
    run = subprocess.run(
        [python, "-W", "ignore", CLIENTS / "bi_python.py"], env={**os.environ, **told}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)
    rows = [["logistics", 3.0], ["service", 1.0]]
    assert found.pop("clickhouse-connect") == {
        "rows": rows, "bound": 3, "columns": ["type", "occurred_at"], "refused": True,
    }  # fmt: skip
    assert found.keys() == {"clickhousedb", "clickhouse+http", "clickhouse+native"}
    for dialect, told in found.items():
        assert told == {"rows": rows, "frame": 3, "journeys": True, "stage": True}, dialect


def test_the_document_shows_the_ways_that_were_tried() -> None:
    text = DOCUMENT.read_text()
    script = (CLIENTS / "bi_python.py").read_text()
    for dialect in re.findall(r"(clickhouse\w*(?:\+\w+)?)://analyst", text):
        assert f'"{dialect}"' in script, dialect
    assert "clickhouse_connect.get_client(" in text
