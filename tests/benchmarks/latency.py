"""How long single touchpoints take beside a steady load: to their state on journey-states and to their row.

Probes are published on time, whether or not the earlier ones have arrived: a stall delays all that fall into it.
"""

import asyncio
import contextlib
import statistics
import threading
import time
from datetime import UTC, datetime
from typing import Any, Final

from deploy.ingest.publisher import message
from schemas.keys import partition_of
from schemas.records import Touchpoint
from schemas.topics import TOUCHPOINTS
from streams.identity.policy.policy import IdentityPolicy
from tests.benchmarks.new_rows import new_rows
from tests.benchmarks.prepared_load import Load, Message, producer
from tests.benchmarks.states import published_states
from tests.integration.parts import Deployment
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

PROBES_PER_SECOND: Final = 25
#: The load runs this long before the first probe.
WARM_UP_SECONDS: Final = 3.0
#: So long a probe may take to arrive after the last one was published.
PATIENCE_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.02
CUTS: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


class Probes:
    """When each probe was sent and seen; times are seconds on the monotonic clock."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.sent: dict[str, float] = {}
        self.states: dict[str, float] = {}
        self.rows: dict[str, float] = {}

    @property
    def complete(self) -> bool:
        """Whether all have arrived everywhere."""
        return len(self.states) == len(self.rows) == self.count

    def percentiles(self, what: str, seen: dict[str, float]) -> dict[str, int]:
        """In milliseconds."""
        times = sorted(at - self.sent[name] for name, at in seen.items())
        return {f"{what}, {cut}": round(_quantile(times, share) * 1000) for cut, share in CUTS.items()}


def load_seconds(probes: int) -> float:
    """How long the load has to last."""
    return WARM_UP_SECONDS + probes / PROBES_PER_SECOND


def measure(
    live: Deployment, policy: IdentityPolicy, messages: list[Message], rate: float, probes: int
) -> dict[str, Any]:
    """Publish messages at a rate, and probes beside them."""
    load = Load(live.settings, messages, rate)
    found = asyncio.run(_beside(live, policy, load, Probes(probes)))
    return {
        "events/s beside": round(load.sent / load.seconds),
        "probes that did not arrive": probes - min(len(found.states), len(found.rows)),
        **found.percentiles("ms to journey-states", found.states),
        **found.percentiles("ms to a row", found.rows),
    }


async def _beside(live: Deployment, policy: IdentityPolicy, load: Load, probes: Probes) -> Probes:
    stop = threading.Event()
    rows = threading.Thread(target=_watch_rows, args=(live, probes, stop), daemon=True)
    rows.start()
    states = asyncio.create_task(_watch_states(live, probes))
    loading = asyncio.create_task(load.run())
    await asyncio.sleep(WARM_UP_SECONDS)
    await _publish(live, policy, probes)
    load.stopped = True
    await loading
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not probes.complete and time.monotonic() < deadline:  # noqa: ASYNC110 (threads add to it)
        await asyncio.sleep(0.1)
    states.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await states
    stop.set()
    await asyncio.to_thread(rows.join)
    return probes


async def _publish(live: Deployment, policy: IdentityPolicy, probes: Probes) -> None:
    settings = live.settings
    publisher = producer(settings)
    await publisher.start()
    begun = time.monotonic()
    sending = []
    for number in range(probes.count):
        await asyncio.sleep(max(0.0, begun + number / PROBES_PER_SECOND - time.monotonic()))
        probe = _probe(number)
        key, value = message(probe, policy, CATALOGUE)
        probes.sent[probe["event_id"]] = time.monotonic()
        sending.append(
            await publisher.send(
                settings.topic(TOUCHPOINTS.name), value, key, partition_of(key, settings.partitions)
            )
        )
    await asyncio.gather(*sending)
    await publisher.stop()


def _probe(number: int) -> Touchpoint:
    """A new customer each time; the number has as many digits in all, for a search in the encoded state."""
    name = f"probe-{number:06}"
    probe = touchpoint(name, ids=[("customer_id", name)])
    probe["received_at"] = probe["occurred_at"] = int(time.time() * 1000)
    return probe


async def _watch_states(live: Deployment, probes: Probes) -> None:
    async for now, record in published_states(live):
        start = (record.value or b"").find(b"probe-")
        if start >= 0:
            probes.states.setdefault(record.value[start : start + 12].decode(), now)


def _watch_rows(live: Deployment, probes: Probes, stop: threading.Event) -> None:
    client = live.client()
    # by the table's key, so that asking costs ClickHouse little of what is being measured
    query = (
        "SELECT event_id FROM raw_touchpoints WHERE tenant = %(tenant)s AND occurred_at >= %(since)s"
        " AND event_id >= %(first)s AND startsWith(event_id, 'probe-')"
    )
    for _ in new_rows(client, "raw_touchpoints", stop, POLL_SECONDS):
        awaited = [name for name in list(probes.sent) if name not in probes.rows]
        if awaited:
            since = datetime.fromtimestamp(time.time() - PATIENCE_SECONDS, UTC)
            found = client.execute(query, {"tenant": "default", "since": since, "first": min(awaited)})
            now = time.monotonic()
            for (name,) in found:
                probes.rows.setdefault(name, now)
    client.disconnect()


def _quantile(ordered: list[float], share: float) -> float:
    if len(ordered) < 2:
        return ordered[0] if ordered else float("nan")
    cuts = statistics.quantiles(ordered, n=1000, method="inclusive")
    return cuts[round(share * 1000) - 1]
