"""The erasure drill: forget a person in the middle of a backlog, and search everything for what is left.

`python -m tests.drills.erasure --backlog 150000` starts a broker, ClickHouse, a worker and a loader. Exit code 1 if
anything of the person is left where docs/erasure.md says that nothing is.
"""

import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import print_mapping, remarks
from deploy.ingest.publisher import publish
from deploy.simulation.population import Population, simulate
from schemas.records import Touchpoint
from sinks.clickhouse.erasure.rows import TABLES
from sinks.clickhouse.retention import keep_files
from streams.identity.policy.load import load
from tests.benchmarks.brokers import broker_and_clickhouse
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.support.touchpoints import touchpoint
from tests.support.traces import files_with, inactive_parts, records_with, rows_with

#: Nobody else has these texts, so whatever holds them is a trace.
CUSTOMER, COOKIE, EVENT = "C-forget-4711", "ck-forget-4711", "gone-4711-"
#: How often a late touchpoint of the person stands in the backlog.
EVERY: Final = 1_000
#: How long files of deleted rows stay, in this drill.
FILES_SECONDS: Final = 5
#: By docs/erasure.md: they name events and nobody's identifier: what caused a change, or the assignment of another.
NAMES_EVENTS: Final = ("profile_changes", "raw_identity_assignments", "raw_identity_assignment_history")
#: By docs/erasure.md: compacted topics whose newest records hold the identifier, so that it stays erased.
REMEMBER: Final = {"touchline-worker-stitch-changelog", "touchline-worker-identity-changelog",
                   "touchline-worker-journeys-changelog"}  # fmt: skip


def person() -> Iterator[Touchpoint]:
    """A customer with a cookie, an order, a complaint and an account: states, signals and an account state."""
    ids = [("cookie", COOKIE), ("customer_id", CUSTOMER)]
    kinds = ["product_view", "cart_opened", "order_placed", "issue_opened", "complaint"]
    for number, kind in enumerate(kinds):
        yield touchpoint(
            f"{EVENT}{number}", minute=number, ids=ids[:1] if number == 0 else ids, type=kind,
            account_id="ACC-drill", issue_id=f"{EVENT}issue" if number > 2 else None,
        )  # fmt: skip
    yield touchpoint("colleague", minute=9, ids=[("customer_id", "C-colleague")], account_id="ACC-drill")


def backlog(size: int) -> Iterator[Touchpoint]:
    """Simulated events; late touchpoints of the person among them."""
    for number, event in enumerate(simulate(Population(people=max(size // 20, 1), events=size, seed=1))):
        if number % EVERY == EVERY // 2:
            ids = [("cookie", COOKIE), ("customer_id", CUSTOMER)][number // EVERY % 2 :]
            yield touchpoint(f"{EVENT}late-{number}", minute=number / 1_000, ids=ids, account_id="ACC-drill")
        yield event


def drill(live: Deployment, size: int) -> tuple[dict[str, Any], list[str]]:
    """Play it. Returns the figures, and a sentence for each trace that should not be there."""
    settings = live.settings
    policy = load("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    keep_files(settings.clickhouse(), TABLES, FILES_SECONDS)
    publish(person(), settings, policy)
    live.wait_idle()
    events = backlog(size)
    publish(islice(events, size // 2), settings, policy)
    asked = time.monotonic()
    command = [*TOUCHLINE, "forget", f"customer_id:{CUSTOMER}", "--person", "--json", "--timeout", "3600"]
    with subprocess.Popen(
        command, env=live.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as forget:
        publish(events, settings, policy)
        waited = _watch(live, forget)
        receipts, errors = forget.communicate()
    assert forget.returncode == 0, errors
    figures: dict[str, Any] = {
        "backlog": size,
        "records before the processes at the receipt": live.look().to_dict()["lag"],
        "receipt after seconds": round(time.monotonic() - asked, 1),
        "waited for": waited,
        "deleted": dict(
            sum((Counter(one["deleted"]) for one in json.loads(receipts)["receipts"]), Counter[str]())
        ),
    }
    traces = _traces_in_tables(live, "at the receipt")
    live.wait_idle(timeout=3600)
    traces += _traces_in_tables(live, "after the backlog")
    off_disk = _off_disk(live)
    figures["files gone after seconds"] = round(time.monotonic() - asked, 1)
    client = live.client()
    traces += _traces_in_tables(live, "at the end")
    traces += [f"file {path}" for path in files_with(client, [CUSTOMER, COOKIE])]
    traces += [
        f"{count} replaced parts of {table}" for table, count in inactive_parts(client, off_disk).items()
    ]
    client.disconnect()
    topics = records_with(settings, [CUSTOMER, COOKIE])
    figures["records in topics"] = {name: dict(seen) for name, seen in topics.items()}
    for name, seen in topics.items():
        compacted = (
            name in ("identity-assignments", "journey-states", "account-states") or "changelog" in name
        )
        if compacted and seen["value"] and name not in REMEMBER:
            traces.append(f"topic {name}: {seen['value']} newest records")
    return figures, traces


def _watch(live: Deployment, forget: "subprocess.Popen[str]") -> list[str]:
    """What the receipts said they waited for, until the command ends."""
    seen: dict[str, str] = {}
    while forget.poll() is None:
        for (text,) in live.query("SELECT DISTINCT waits_for FROM erasure_receipts FINAL WHERE done = 0"):
            stage = text.partition(":")[0]
            if stage not in seen:
                seen[stage] = text
                remarks.print(f"waits for {text}", markup=False)
        time.sleep(0.2)
    return list(seen.values())


def _traces_in_tables(live: Deployment, when: str) -> list[str]:
    client = live.client()
    try:
        named = rows_with(client, [CUSTOMER, COOKIE])
        events = rows_with(client, [EVENT])
    finally:
        client.disconnect()
    for table in NAMES_EVENTS:
        events.pop(table, None)
    return [f"{when}: {count} rows of {table}" for table, count in (named + events).items()]


def _off_disk(live: Deployment) -> int:
    """Wait until the receipts say that the files are gone. Returns when the rows were deleted, seconds since 1970."""
    deadline = time.monotonic() + 600
    while True:
        ((left, done),) = live.query(
            "SELECT countIf(off_disk_at IS NULL), (SELECT toUnixTimestamp(max(recorded_at)) FROM erasure_receipts"
            " WHERE done = 1 AND off_disk_at IS NULL) FROM erasure_receipts FINAL"
        )
        if not left:
            return int(done)
        assert time.monotonic() < deadline, "no receipt says that the files are gone"
        time.sleep(1)


def main(
    backlog: Annotated[int, typer.Option(help="Touchpoints.")] = 150_000,
    sandbox: Annotated[bool, typer.Option(help="On the sandbox's broker instead of Kafka.")] = False,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Play the drill and print its figures."""
    with tempfile.TemporaryDirectory(prefix="touchline-drill-") as name:
        folder = Path(name)
        with (
            broker_and_clickhouse("sandbox" if sandbox else "kafka", folder) as (broker, clickhouse),
            deployment(broker, clickhouse, log_dir=folder, session_timeout=60.0) as live,
        ):
            figures, traces = drill(live, backlog)
    print_mapping({**figures, "traces left": traces}, as_json=as_json)
    if traces:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
