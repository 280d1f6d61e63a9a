"""Faults of memory and load: a backlog under a limit of 512 MiB, and ten times what a worker can take."""

import time
from contextlib import ExitStack
from random import Random
from typing import Final

from deploy.simulation.population import Population
from schemas import topics
from schemas.encoding.codec import decode
from schemas.records import Touchpoint
from streams.identity.policy.load import load
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.cluster.arena import ClusterTrial
from tests.cluster.machine import Group, group
from tests.faults.kafka import values
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

LIMIT_MIB: Final = 512
#: Of one core: so little that the harness can publish ten times what the worker takes.
SHARE: Final = 0.15
TIMES: Final = 10
#: Of the people who leave a cart alone for so long, and then order: shorter than the deadline of an abandoned cart.
IN_TIME_MS: Final = 10 * 60_000
SHOPPERS: Final = 100
SHOPPER: Final = "overload-shopper-"


def backlog_under_a_limit(trial: ClusterTrial) -> None:
    """Everything is published before the one worker starts, which has 512 MiB and no more."""
    trial.feed(cold=True)
    trial.join()
    with group("memory", trial.live.logs.name, LIMIT_MIB) as limit:
        trial.live.around["worker-1"] = limit.around
        began = time.monotonic()
        trial.start(workers=1)
        trial.wait_idle(3000)
        took = time.monotonic() - began
        _note_memory(trial, limit)
        trial.notes.append(f"{len(trial.events):,} events in {took:.0f} s")
        for worker in trial.live.workers:
            trial.resting.add(worker.name)
            worker.kill()
    trial.live.around.clear()
    trial.restart_workers()


def overload(trial: ClusterTrial) -> None:
    """For a while ten times as much as the worker takes is published; then it has the machine again."""
    shoppers = _with_shoppers(trial)
    tenth = len(trial.events) // (TIMES + 1)
    with ExitStack() as stack:
        name = trial.live.logs.name
        limit = stack.enter_context(group("memory", name, LIMIT_MIB))
        brake = stack.enter_context(group("cpu", f"{name}-cpu"))
        brake.limit(SHARE)
        trial.live.around["worker-1"] = [*limit.around, *brake.around]
        # what it takes: a tenth of all, published at once
        trial.feed(trial.events[:tenth], cold=True)
        trial.join()
        trial.start(workers=1)
        trial.wait_loading()
        capacity = _capacity(trial)
        published = time.monotonic()
        trial.feed(trial.events[tenth:], rate=TIMES * capacity)
        trial.join()
        seconds = time.monotonic() - published
        lag = _lag(trial)
        trial.notes.append(
            f"{(len(trial.events) - tenth) / seconds:.0f} events a second for {seconds:.0f} s upon a worker that takes"
            f" {capacity:.0f} a second; {lag:,} waited at the end"
        )
        brake.limit(None)
        drained = time.monotonic()
        trial.wait_idle(3000)
        trial.notes.append(f"drained in {time.monotonic() - drained:.0f} s")
        _note_memory(trial, limit)
        if raised := _raised_for(trial, shoppers):
            trial.problems.append(
                f"{raised} abandoned carts were told of {SHOPPERS} people who ordered in time"
            )
        trial.notes.append(f"no abandoned cart of {SHOPPERS} who ordered in time" if not raised else "")
        for worker in trial.live.workers:
            trial.resting.add(worker.name)
            worker.kill()
    trial.live.around.clear()
    trial.restart_workers()


def many(events: int, seed: int) -> Population:
    """People with twenty touchpoints each over two months."""
    return Population(people=max(events // 20, 10), events=events, seed=seed, days=60)


def _note_memory(trial: ClusterTrial, limit: Group) -> None:
    trial.notes.append(
        f"peak {limit.peak_mib()} MiB of {LIMIT_MIB} ({limit.kind}), {limit.kills()} kills by the kernel"
    )
    if limit.kills():
        trial.problems.append("the kernel killed a worker for want of memory")


def _capacity(trial: ClusterTrial) -> float:
    """Touchpoints that the worker takes a second, while it has enough to do."""
    before, began = _done(trial), time.monotonic()
    trial.sleep(trial.of(6, 15))
    return max((_done(trial) - before) / (time.monotonic() - began), 1.0)


def _done(trial: ClusterTrial) -> int:
    return sum(one.done for one in (trial.live.backlogs() or {}).get(topics.WORKER_GROUP, []))


def _lag(trial: ClusterTrial) -> int:
    return sum(one.end - one.done for one in (trial.live.backlogs() or {}).get(topics.WORKER_GROUP, []))


def _with_shoppers(trial: ClusterTrial) -> set[str]:
    """Add people with a cart and an order in time to the events, in order of arrival. Returns their profile ids."""
    random = Random(f"shoppers {trial.random.random()}")
    first, last = (trial.events[at]["received_at"] for at in (0, -1))
    added: list[Touchpoint] = []
    for number in range(SHOPPERS):
        at = random.randint(first, last - IN_TIME_MS)
        for name, kind, when in (("cart", "add_to_cart", at), ("order", "order_placed", at + IN_TIME_MS)):
            event = touchpoint(
                f"{SHOPPER}{name}-{number}",
                occurred_at=when,
                type=kind,
                ids=[("cookie", f"{SHOPPER}{number}")],
            )
            added.append({**event, "received_at": when})
    trial.events[:] = sorted([*trial.events, *added], key=lambda one: one["received_at"])
    settings = trial.live.settings
    replay = Replay(
        load("", settings.pseudonym_secret(), settings.pseudonym_key_id), CATALOGUE, JourneyRules.load("")
    )
    for event in added:
        replay.add(event)
    return {owned.profile_id for owned in replay.owned()}


def _raised_for(trial: ClusterTrial, profiles: set[str]) -> int:
    """Abandoned carts that were ever told of these people."""
    found = (decode(value)[1] for value in values(trial.live.settings, topics.JOURNEY_SIGNALS.name))
    return sum(
        one["profile_id"] in profiles and one["kind"] == "abandoned_cart" and one["status"] == "RAISED"
        for one in found
    )
