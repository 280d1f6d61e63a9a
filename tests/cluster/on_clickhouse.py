"""ClickHouse is killed and comes back while it is migrated, and while it erases."""

import os
import subprocess
import time
from typing import Any, Final

from deploy.ingest.corrections import erasure, publish_correction
from schemas.records import Identifier
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from tests.cluster.arena import ClusterTrial
from tests.faults.trial import CLICKHOUSE
from tests.integration.parts import TOUCHLINE
from tests.integration.store import drop
from tests.support.traces import rows_with

ERASED: Final = 8
_SCHEMA: Final = """
    SELECT name, engine, replaceAll(create_table_query, currentDatabase(), 'here') FROM system.tables
    WHERE database = currentDatabase() AND NOT startsWith(name, '.') ORDER BY name
"""


def killed_in_migrations(trial: ClusterTrial) -> None:
    """`touchline migrate` fails with a sentence each time, and the last one makes what an undisturbed one makes."""
    server = trial.where.clickhouse
    trial.resting.add(CLICKHOUSE)
    name = f"broken_{trial.live.logs.name}"
    where = ClickHouse.from_url(server.url_of(name))
    env = {**trial.live.settings.to_env(), "TOUCHLINE_CLICKHOUSE_URL": server.url_of(name)}
    met: list[str] = []
    while len(met) < trial.of(2, 6):
        command = subprocess.Popen(
            [*TOUCHLINE, "migrate"], env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        wanted = _applied(where) + trial.random.randint(1, 6)
        deadline = time.monotonic() + 90
        while command.poll() is None and _applied(where) < wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        server.kill()
        _, said = command.communicate(timeout=120)
        server.start()
        if command.returncode == 0:
            break
        met.append(said.strip().splitlines()[-1])
        if command.returncode != 1 or "Traceback" in said:
            trial.problems.append(f"migrate ended with {command.returncode}: {said[-300:]}")
    trial.resting.discard(CLICKHOUSE)
    if not met:
        trial.problems.append("no kill met a migration")
    trial.notes.append(f"{len(met)} migrations met; says: {met[-1][:160] if met else ''}")
    migrate(where)
    if _schema(where) != _schema(trial.live.settings.clickhouse()):
        trial.problems.append("the tables differ from those of a database that was migrated undisturbed")
    drop(where)
    trial.start()
    trial.feed()


def _applied(where: ClickHouse) -> int:
    """Migrations applied; -1 before the first."""
    try:
        return int(_query(where, "SELECT count() FROM schema_migrations FINAL")[0][0])
    except Exception:  # noqa: BLE001 (there is no database yet, or no server)
        return -1


def _schema(where: ClickHouse) -> list[tuple[Any, ...]]:
    """Its tables and views, whatever the database is called."""
    return _query(where, _SCHEMA)


def _query(where: ClickHouse, sql: str) -> list[tuple[Any, ...]]:
    client = connect(where)
    try:
        return list(client.execute(sql))
    finally:
        client.disconnect()


def killed_in_erasures(trial: ClusterTrial) -> None:
    """People are erased, and ClickHouse is killed before all of them are: every receipt is done in the end."""
    trial.feed()
    trial.wait_loading()
    trial.join()
    settings = trial.live.settings
    names = sorted(
        {
            one["value"]
            for event in trial.events
            for one in event["identifiers"]
            if one["type"] == "customer_id"
        }
    )
    until = max(event["occurred_at"] for event in trial.events) + 1
    erased = [
        Identifier(type="customer_id", value=value)
        for value in trial.random.sample(names, min(ERASED, len(names)))
    ]
    for one in erased:
        asked = erasure("default", one, until)
        trial.corrections.append(asked)
        publish_correction(asked, settings)
    kills = 0
    for _ in range(trial.of(2, 4)):
        trial.sleep(trial.random.uniform(0.2, 2.5))
        if _done(trial) == len(erased):
            break
        trial.resting.add(CLICKHOUSE)
        trial.where.clickhouse.kill()
        kills += 1
        trial.where.clickhouse.start()
        trial.resting.discard(CLICKHOUSE)
    trial.wait(lambda: _done(trial) == len(erased), "receipts that are done", 240)
    trial.notes.append(f"{kills} kills before {len(erased)} erasures were done")
    trial.wait_idle()
    client = trial.live.client()
    left = rows_with(client, [one["value"] for one in erased])
    client.disconnect()
    if left:
        trial.problems.append(f"an erased customer's number is left in {left}")


def _done(trial: ClusterTrial) -> int:
    return trial.count("SELECT countIf(done = 1) FROM erasure_receipts FINAL")
