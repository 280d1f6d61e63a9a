"""What questions cost: `python -m tests.benchmarks.questions [touchpoints [people]]`.

It fills a ClickHouse of its own as tests/benchmarks/analytics.py does, and asks every question of
sinks.clickhouse.read.questions with its defaults: over the last 30 of 90 days, and over everything. It prints p50 and
p95 of warm runs, CPU seconds of the server for one run, and the rows that one run reads: docs/analytics.md has them.
"""

import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

from clickhouse_driver import Client

from deploy.kafka_admin.meanings import meanings
from deploy.reports.parameters import values_of
from deploy.sandbox import ClickHouseServer
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.read.questions import Question, questions, statement
from sinks.clickhouse.write.catalogue import put_in_force
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from tests.benchmarks.analytics import PER_PERSON, TOUCHPOINTS, fill, timed
from tests.benchmarks.processes import cpu_seconds

DAY: Final = 86_400_000
END: Final = 1_767_225_600_000 + 91 * DAY  #: the touchpoints occur in the 90 days before
RUNS: Final = 10
BUDGET_SECONDS: Final = 8.0
#: What a question without a default is asked about.
TYPED: Final = {"funnel": {"steps": ["product_view", "add_to_cart", "checkout_started", "order_placed"]}}


def main() -> None:
    """Fill a server of its own and ask."""
    touchpoints = int(sys.argv[1]) if len(sys.argv) > 1 else TOUCHPOINTS
    people = int(sys.argv[2]) if len(sys.argv) > 2 else touchpoints // PER_PERSON
    with tempfile.TemporaryDirectory() as folder:
        server = ClickHouseServer(Path(folder), Path(folder))
        server.start()
        try:
            where = ClickHouse.from_url(server.url_of(f"bench_{uuid.uuid4().hex[:8]}"))
            migrate(where)
            put_in_force(where, meanings(Settings()))
            client = connect(where)
            timed("filled", lambda: fill(client, touchpoints, people))
            reconciliation = Reconciliation(where, margin_ms=0)
            timed("reconciled", reconciliation.run_all)
            reconciliation.close()
            assert server.process is not None
            table(client, server.process.pid)
            client.disconnect()
        finally:
            server.stop()


def table(client: Client, pid: int) -> None:
    """Ask each question over both periods; `pid` is the server's."""
    print(
        "| question | 30 days: p50, p95 ms | CPU s | rows read | 90 days: p50, p95 ms | CPU s | rows read |"
    )
    print("|---|---|---|---|---|---|---|")
    for question in questions().values():
        cells = [cost(client, pid, question, since) for since in (END - 30 * DAY, 0)]
        print(f"| `{question.name}` | {' | '.join(cells)} |", flush=True)


def cost(client: Client, pid: int, question: Question, since: int) -> str:
    """Warm runs of a question, until the budget is spent."""
    values: dict[str, Any] = values_of(question, TYPED.get(question.name, {}), lambda *_: END)
    sql, given = statement(question, {**values, "since": since})
    sql = sql.replace("SELECT *", "SELECT count()")
    client.execute(sql, given)
    took: list[float] = []
    before = cpu_seconds(pid)
    while len(took) < RUNS and sum(took) < BUDGET_SECONDS:
        began = time.perf_counter()
        client.execute(sql, given)
        took.append(time.perf_counter() - began)
    spent = (cpu_seconds(pid) - before) / len(took)
    ordered = sorted(took)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    rows = client.last_query.progress.rows
    return f"{statistics.median(took) * 1000:,.0f}, {p95 * 1000:,.0f} | {spent:.2f} | {rows:,}"


if __name__ == "__main__":
    main()
