"""What a worker says of itself when it is asked: sizes, what waits, when a recovery ends, and whether it is ready."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client import REGISTRY

from deploy.ingest.publisher import message
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.keys import partition_of
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.monitor import WorkerMonitor
from streams.runtime.standby import Standbys
from streams.stitch.agent import Stitch
from tests.support.agents import recover, worker_app
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.turns import Changelogs, TurnsWorker

PARTITIONS = 2


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


class Monitored:
    """A worker's application that has not started, its agents, and its monitor with a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.app = worker_app(partitions=PARTITIONS)
        self.agents = (
            Stitch(self.app, POLICY, CATALOGUE),
            Identity(self.app, POLICY),
            Journeys(self.app, CATALOGUE, RULES),
            Accounts(self.app, RULES),
        )
        self.monitor = WorkerMonitor(
            self.app, "python", Standbys(self.app), *self.agents, clock=lambda: self.now
        )

    def restore(self, changelogs: Changelogs) -> None:
        from tests.support.agents import Record

        for agent in self.agents:

            def read(place: Any, start: int) -> list[list[Record]]:
                kept = changelogs.get((place[0], place[1]), {})
                records = [Record(*place, at, 0, key, value) for at, (key, value) in enumerate(kept.items())]
                return [records[start:]] if records[start:] else []

            recover(agent.state, range(PARTITIONS), read)


@pytest.fixture(scope="module")
def changelogs() -> Changelogs:
    """What a worker leaves of three hundred simulated touchpoints."""
    found: Changelogs = {}
    worker = TurnsWorker(PARTITIONS, changelogs=found)
    fed: dict[tuple[str, int], list[Any]] = {}
    for event in simulate(Population(people=20, events=300, seed=1)):
        key, value = message(event, POLICY, CATALOGUE)
        fed.setdefault((topics.TOUCHPOINTS.name, partition_of(key, PARTITIONS)), []).append(
            (key, value, None)
        )
    worker.feed(fed)
    return found


def test_sizes_are_those_of_the_states_of_all_partitions(changelogs: Changelogs) -> None:
    worker = Monitored()
    worker.restore(changelogs)
    worker.monitor.refresh()
    stitch, _, journeys, _ = (agent.state for agent in worker.agents)
    profiles = sum(len(one.journeys) for one in journeys.all())
    assert profiles
    assert sample("touchline_worker_state_items", state="journeys", kind="profiles") == profiles
    assignments = sum(len(one.assignments) for one in stitch.all())
    assert assignments
    assert sample("touchline_worker_state_items", state="stitch", kind="assignments") == assignments
    assert sample("touchline_worker_state_items", state="identity", kind="unresolved_links")
    newest = max(one.watermark for one in journeys.all())
    marks = [
        sample("touchline_worker_watermark_seconds", partition=str(number)) for number in range(PARTITIONS)
    ]
    assert max(mark or 0 for mark in marks) == newest / 1000


def test_a_partition_that_is_gone_shows_no_more(changelogs: Changelogs) -> None:
    worker = Monitored()
    worker.restore(changelogs)
    worker.monitor.refresh()
    assert sample("touchline_worker_watermark_seconds", partition="1")
    journeys = worker.agents[2].state
    asyncio.run(journeys.on_rebalance({TP(journeys.topic_name, 0)}, set(), set(), 1))
    worker.monitor.refresh()
    assert sample("touchline_worker_watermark_seconds", partition="0")
    assert sample("touchline_worker_watermark_seconds", partition="1") is None


def test_a_worker_is_ready_once_a_rebalance_has_ended_and_its_state_is_restored() -> None:
    worker = Monitored()
    assert "waits for its partitions" in worker.monitor.waits_for()
    asyncio.run(worker.app.on_rebalance_complete.send())
    assert worker.monitor.waits_for() == ""
    worker.app.in_recovery = True
    assert worker.monitor.waits_for()
    worker.app.in_recovery = False
    before = sample("touchline_worker_rebalances_total") or 0
    asyncio.run(worker.app.on_partitions_revoked.send({TP("touchpoints", 0)}))
    assert "waits for its partitions" in worker.monitor.waits_for()
    assert sample("touchline_worker_rebalances_total") == before + 1


def test_a_recovery_tells_what_is_left_and_when_it_will_end() -> None:
    worker = Monitored()
    journeys, app = worker.agents[2].state, worker.app
    app.last_changelog_offset = lambda _: 999  # type: ignore[method-assign]
    asyncio.run(journeys.on_rebalance({TP(journeys.topic_name, 0)}, set(), set(), 0))
    worker.monitor.refresh()
    assert sample("touchline_worker_recovery_remaining_records", state="journeys") == 1000
    assert math.isnan(sample("touchline_worker_recovery_remaining_seconds") or 0)
    assert "1,000 changelog offsets are left" in worker.monitor.waits_for()
    event: Any = SimpleNamespace(
        message=SimpleNamespace(partition=0, offset=249), value=[]
    )  # a quarter, in ten seconds
    journeys.apply_changelog_batch([event])
    worker.now += 10
    worker.monitor.refresh()
    assert sample("touchline_worker_recovery_remaining_records", state="journeys") == 750
    assert sample("touchline_worker_recovery_remaining_seconds") == pytest.approx(30)
    event.message.offset = 999
    journeys.apply_changelog_batch([event])
    worker.monitor.refresh()
    assert sample("touchline_worker_recovery_remaining_records", state="journeys") == 0
    assert sample("touchline_worker_recovery_remaining_seconds") == 0
