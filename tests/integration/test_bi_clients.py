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
from sinks.clickhouse.connection import connect
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
        topics.JOURNEY_INPUTS,
        *[resolved_bytes(f"e{n}", minute=n, type=name, issue_id="i1") for n, name in enumerate(types)],
    )
    store.disconnect()
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
        "ids": {"type": "UUID", "joined": [3, 3], "by text": BY_TEXT, "bound": 3},
    }  # fmt: skip
    assert found.keys() == {"clickhousedb", "clickhouse+http", "clickhouse+native"}
    for dialect, told in found.items():
        assert told == {"rows": rows, "frame": 3, "journeys": True, "stage": True, "ids": ids_of(dialect)}, (
            dialect
        )


#: Three touchpoints of one person: found by text, by a list of texts, none but hers, in a join, by a view's parameter.
BY_TEXT = [3, 3, 0, 3, 3]


def ids_of(dialect: str) -> dict[str, Any]:
    """What a dialect of SQLAlchemy makes of an id."""
    return {"type": "str" if dialect == "clickhouse+http" else "UUID", "by text": BY_TEXT}


def test_dbt_makes_a_table_of_the_model_that_the_document_shows(
    server: ClickHouseServer, tmp_path: Path
) -> None:
    text = DOCUMENT.read_text()
    (profile,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (model,) = re.findall(r"```sql\n-- models/service_by_owner.sql\n(.*?)```", text, re.DOTALL)
    # the sandbox's server makes no users: its own one stands for dbt's
    for said, here in (
        ("HOST", "127.0.0.1"),
        ("8123", str(server.http_port)),
        ("user: dbt", "user: default"),
    ):
        profile = profile.replace(said, here)
    (tmp_path / "profiles.yml").write_text(profile)
    (tmp_path / "dbt_project.yml").write_text(
        "name: t\nversion: '1.0'\nprofile: touchline\nmodel-paths: [models]\n"
    )
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "service_by_owner.sql").write_text(model)
    client = connect(ClickHouse.from_url(server.url))
    client.execute("CREATE DATABASE marts")

    dbt = python_clients("dbt.txt") / "bin" / "dbt"
    period = "{since: '2026-01-01', until: '2027-01-01'}"
    run = subprocess.run(
        [dbt, "--no-use-colors", "run", "--project-dir", tmp_path, "--profiles-dir", tmp_path, "--vars", period],
        env={**os.environ, "DBT_PASSWORD": ""}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:]
    assert client.execute("SELECT segment, issues FROM marts.service_by_owner") == [("logistics", 1)]
    client.disconnect()


def test_the_document_shows_the_ways_that_were_tried() -> None:
    text = DOCUMENT.read_text()
    script = (CLIENTS / "bi_python.py").read_text()
    for dialect in re.findall(r"(clickhouse\w*(?:\+\w+)?)://analyst", text):
        assert f'"{dialect}"' in script, dialect
    assert "clickhouse_connect.get_client(" in text
