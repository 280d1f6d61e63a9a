"""An erasure passes its barrier once everything that could still bring a row of the person has been done."""

from random import Random

import pytest

from schemas.topics import ALL, LOADER_GROUP, WORKER_GROUP
from sinks.clickhouse.erasure.barrier import STAGES, Barrier, Position, Positions


class World:
    """Two partitions of every topic, and how far each group is."""

    def __init__(self, backlog: int = 0) -> None:
        self.ends = {(topic.name, number): backlog for topic in ALL for number in (0, 1)}
        self.done = {group: dict.fromkeys(self.ends, 0) for group in (WORKER_GROUP, LOADER_GROUP)}

    def positions(self) -> Positions:
        return {
            group: {place: Position(done[place], end) for place, end in self.ends.items()}
            for group, done in self.done.items()
        }

    def publish(self, topic: str, records: int = 1) -> None:
        self.ends[topic, 0] += records

    def commit(self, group: str, *names: str) -> None:
        for place, end in self.ends.items():
            if place[0] in names:
                self.done[group][place] = end


def test_an_idle_deployment_passes_at_the_first_look() -> None:
    world = World(backlog=5)
    for group, done in world.done.items():
        world.commit(group, *{name for name, _ in done})

    assert Barrier().passes(world.positions())


def test_each_stage_waits_for_its_process_and_names_it_with_the_records_before_it() -> None:
    world, barrier = World(backlog=1_000), Barrier()
    seen = []
    for stage in STAGES:
        assert not barrier.passes(world.positions())
        seen.append(barrier.waits_for)
        world.commit(stage.group, *(topic.name for topic in stage.topics))
        if stage.name == "journeys" and "transferred" not in seen:
            world.publish("journey-inputs")  # what one profile hands to another
            seen.append("transferred")
        if stage.name == "accounts":
            world.publish("account-states")  # in answer: the loaders must have it, too

    assert barrier.passes(world.positions())
    assert seen[:3] == ["identity: 2,000 records", "stitch: 4,000 records", "journeys: 2,000 records"]
    assert "journeys: 1 records" in seen
    assert seen[-1].startswith("loading:")
    assert barrier.waits_for == ""


def test_what_is_published_later_does_not_hold_an_erasure_up() -> None:
    world, barrier = World(backlog=10), Barrier()
    assert not barrier.passes(world.positions())
    world.commit(WORKER_GROUP, "identity-links")
    world.publish("identity-links", 500)

    assert not barrier.passes(world.positions())

    assert barrier.waits_for.startswith("stitch:")


def test_a_partition_that_is_ahead_does_not_make_up_for_one_that_is_behind() -> None:
    world, barrier = World(backlog=10), Barrier()
    assert not barrier.passes(world.positions())
    world.done[WORKER_GROUP]["identity-links", 0] = 40
    world.done[WORKER_GROUP]["identity-links", 1] = 9

    assert not barrier.passes(world.positions())

    assert barrier.waits_for == "identity: 1 records"


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_commits_lets_an_erasure_pass_before_what_followed_from_it_is_loaded(seed: int) -> None:
    """A record, once done, causes records as the flow of data allows. Those of the beginning must be loaded."""
    causes = {
        "touchpoints": ["journey-inputs"],
        "identity-links": ["identity-assignments", "journey-inputs"],
        "journey-inputs": ["journey-states", "account-inputs"],
        "account-inputs": ["account-states"],
    }
    random, world, barrier = Random(seed), World(), Barrier()
    groups = {
        group: sorted({(topic.name, 0) for stage in STAGES if stage.group == group for topic in stage.topics})
        for group in (WORKER_GROUP, LOADER_GROUP)
    }
    for name in ("touchpoints", "identity-links"):
        world.publish(name, 1 + random.randrange(3))
    first = world.ends["touchpoints", 0] + world.ends["identity-links", 0]
    while not barrier.passes(world.positions()):
        group = random.choice([WORKER_GROUP, LOADER_GROUP])
        place = random.choice(groups[group])
        for _ in range(world.done[group][place], world.ends[place] if group == WORKER_GROUP else 0):
            for name in causes.get(place[0], ()):
                world.publish(name)
        world.done[group][place] = world.ends[place]

    loaded = world.done[LOADER_GROUP]
    assert [loaded[name, 0] >= first for name in ("journey-inputs", "journey-states", "account-states")] == [
        True
    ] * 3
