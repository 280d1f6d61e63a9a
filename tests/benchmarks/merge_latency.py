"""How soon a merge is told: from a merging event's publication to the corrected journey, under load.

    python -m tests.benchmarks.merge_latency [--broker sandbox|kafka|both] [--rate 5000] [--seconds 30] [--json]

Before the load begins every probe is two people: three touchpoints on a cookie with an email, three on another
cookie with a customer id. Then simulated events are published at `--rate` for `--seconds`, and beside them, ten times
a second, a probe's log-in with both the customer id and the email. Measured per probe, from just before that event is
handed to the producer:
- to journey-states: until a consumer has read the surviving profile's state with all seven touchpoints, which takes
  the link, its decision, the Moves, the Transfers, and the journey folded anew;
- to ClickHouse: until a query returns that state's row. Asked every 25 ms, so a figure may be that much too high.
The rates say whether the worker kept up: if fewer events were processed than published, the latency is a backlog's and
grows with `--seconds`; take a lower rate or more workers. Everything, the load too, runs on this machine.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.output import print_table, remarks
from deploy.ingest.publisher import message, publish
from deploy.sandbox import ClickHouseServer
from deploy.simulation.population import DEFAULT_START_MS
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.keys import partition_of, profile_key
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS, WORKER_GROUP
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.profile_id import own_profile
from tests.benchmarks.brokers import BROKERS, OneOrBoth
from tests.benchmarks.new_rows import new_rows
from tests.benchmarks.prepared_load import Load, prepared, producer
from tests.benchmarks.states import published_states
from tests.integration.parts import Deployment, deployment
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

TENANT: Final = "default"  # the load's own, so that merges queue with its decisions
PROBES_PER_SECOND: Final = 10
WARM_UP_SECONDS: Final = 3.0
PATIENCE_SECONDS: Final = 60.0  # after the load, for what is not there yet
POLL_SECONDS: Final = 0.025
TOUCHPOINTS_TOGETHER: Final = 7


def main(
    broker: Annotated[OneOrBoth, typer.Option(help="Which.")] = OneOrBoth.BOTH,
    rate: Annotated[float, typer.Option(help="Events a second beside the merges.")] = 5_000,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 30,
    workers: Annotated[int, typer.Option(help="Workers.")] = 1,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure and print a table, or JSON."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        clickhouse = ClickHouseServer(Path(folder) / "clickhouse", Path(folder))
        clickhouse.start()
        try:
            results = [
                _measure(name, Path(folder) / name, clickhouse, rate, seconds, workers)
                for name in broker.names
            ]
        finally:
            clickhouse.stop()
    if as_json:
        typer.echo(json.dumps(results))
        return
    rows = [[figure, *(result[figure] for result in results)] for figure in results[0] if figure != "broker"]
    print_table(["", *(str(result["broker"]) for result in results)], rows, title="merges under load")


def _measure(
    name: str, folder: Path, clickhouse: ClickHouseServer, rate: float, seconds: float, workers: int
) -> dict[str, Any]:
    folder.mkdir()
    broker = BROKERS[name](folder)
    broker.start()
    try:
        with deployment(broker, clickhouse, workers, log_dir=folder) as live:
            return {"broker": name} | _run(live, rate, seconds)
    finally:
        broker.stop()


def _run(live: Deployment, rate: float, seconds: float) -> dict[str, Any]:
    settings = live.settings
    policy = load("", settings.pseudonym_secret(), settings.pseudonym_key_id)
    remarks.print(f"preparing {rate * (seconds + WARM_UP_SECONDS):,.0f} events")
    messages = prepared(settings, policy, int(rate * (seconds + WARM_UP_SECONDS)))
    probes = [Probe(number) for number in range(int(seconds * PROBES_PER_SECOND))]
    publish((event for probe in probes for event in probe.before()), settings, policy)
    live.wait_idle()
    before = _processed(live)
    remarks.print(f"{len(probes)} merges beside {rate:,.0f} events/s for {seconds:.0f} s")
    load_ = Load(settings, messages, rate)
    processed = asyncio.run(_merge_under_load(live, policy, load_, probes)) - before
    to_state = [probe.state_at - probe.sent_at for probe in probes if probe.state_at]
    to_row = [probe.row_at - probe.sent_at for probe in probes if probe.row_at]
    return {
        "events/s published": round(load_.sent / load_.seconds),
        "events/s processed meanwhile": round(processed / load_.seconds),
        "merges": len(probes),
        "merges not seen a minute later": sum(not (probe.state_at and probe.row_at) for probe in probes),
        **_percentiles("ms to journey-states", to_state),
        **_percentiles("ms to ClickHouse", to_row),
    }


@dataclass
class Probe:
    """Two people who turn out to be one; times are seconds on the monotonic clock, 0 until then."""

    number: int
    sent_at: float = 0.0
    state_at: float = 0.0
    row_at: float = 0.0
    profile_id: str = field(init=False)  #: of the survivor: its cookie was linked first

    def __post_init__(self) -> None:
        self.profile_id = own_profile(TENANT, ("cookie", f"probe-{self.number}-a"))

    def before(self) -> Iterator[Touchpoint]:
        """The touchpoints of the two."""
        for visit in range(3):
            yield self._touchpoint(f"a{visit}", visit, [("cookie", f"probe-{self.number}-a"), self._email])
            yield self._touchpoint(
                f"b{visit}", 10 + visit, [("cookie", f"probe-{self.number}-b"), self._customer]
            )

    def merging(self) -> Touchpoint:
        """The log-in that shows that they are one."""
        return self._touchpoint("merge", 20, [self._customer, self._email])

    @property
    def _email(self) -> tuple[str, str]:
        return "email", f"probe{self.number}@example.org"

    @property
    def _customer(self) -> tuple[str, str]:
        return "customer_id", f"probe-{self.number}"

    def _touchpoint(self, name: str, minute: int, ids: list[tuple[str, str]]) -> Touchpoint:
        at = DEFAULT_START_MS + minute * 60_000
        event_id = f"probe-{self.number}-{name}"
        return touchpoint(event_id, ids=ids, tenant=TENANT, occurred_at=at, received_at=at)


async def _merge_under_load(
    live: Deployment, policy: IdentityPolicy, load_: Load, probes: list[Probe]
) -> int:
    """Publish load and merges, watch for what comes of them; return what the workers processed till the load's end."""
    rows = RowWatch(live, probes)
    states = asyncio.create_task(_watch_states(live, probes))
    loading = asyncio.create_task(load_.run())
    await asyncio.sleep(WARM_UP_SECONDS)
    await _publish_merges(live, policy, probes)
    load_.stopped = True
    await loading
    processed = await asyncio.to_thread(_processed, live)
    await asyncio.to_thread(_wait_for, probes)
    states.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await states
    rows.stop()
    return processed


def _wait_for(probes: list[Probe]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(probe.state_at and probe.row_at for probe in probes) and time.monotonic() < deadline:
        time.sleep(0.1)


async def _publish_merges(live: Deployment, policy: IdentityPolicy, probes: list[Probe]) -> None:
    settings = live.settings
    publisher = producer(settings)
    await publisher.start()
    begun = time.monotonic()
    try:
        for probe in probes:
            await asyncio.sleep(max(0.0, begun + probe.number / PROBES_PER_SECOND - time.monotonic()))
            key, value = message(probe.merging(), policy, CATALOGUE)
            probe.sent_at = time.monotonic()
            partition = partition_of(key, settings.partitions)
            await publisher.send_and_wait(settings.topic(TOUCHPOINTS.name), value, key, partition)
    finally:
        await publisher.stop()


async def _watch_states(live: Deployment, probes: list[Probe]) -> None:
    """Note when the merged state of each probe is on journey-states."""
    awaited = {profile_key(TENANT, probe.profile_id): probe for probe in probes}
    async for now, record in published_states(live):
        probe = awaited.get(record.key)
        if probe is not None and record.value is not None and not probe.state_at:
            state: Any = JOURNEY_STATE.decode(record.value)
            if state["touchpoints"] == TOUCHPOINTS_TOGETHER:
                probe.state_at = now


class RowWatch:
    """Asks ClickHouse, in a thread, which probes' merged states are there."""

    def __init__(self, live: Deployment, probes: list[Probe]) -> None:
        self._live = live
        self._probes = {probe.profile_id: probe for probe in probes}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        client = self._live.client()
        query = (
            "SELECT DISTINCT profile_id FROM raw_journey_states WHERE tenant = %(tenant)s AND profile_id IN %(ids)s"
            " AND touchpoints = %(together)s"
        )
        for _ in new_rows(client, "raw_journey_states", self._stop, POLL_SECONDS):
            awaited = [id_ for id_, probe in self._probes.items() if probe.sent_at and not probe.row_at]
            if awaited:
                values = {"tenant": TENANT, "ids": awaited, "together": TOUCHPOINTS_TOGETHER}
                found = client.execute(query, values)
                now = time.monotonic()
                for (profile_id,) in found:
                    self._probes[profile_id].row_at = now
        client.disconnect()


def _processed(live: Deployment) -> int:
    """Touchpoints that the workers are done with."""
    backlogs = (live.look().backlogs or {}).get(WORKER_GROUP, [])
    return sum(backlog.done for backlog in backlogs if backlog.topic == TOUCHPOINTS.name)


def _percentiles(what: str, times: list[float]) -> dict[str, float | None]:
    if len(times) < 2:
        return {f"{what}, {name}": None for name in ("p50", "p99", "max")}
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    values = {"p50": cuts[49], "p99": cuts[98], "max": max(times)}
    return {f"{what}, {name}": round(value * 1000) for name, value in values.items()}


if __name__ == "__main__":
    typer.run(main)
