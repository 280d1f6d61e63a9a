"""What an owner does about changelog records that a former owner wrote late."""

import pytest

from streams.journeys.changelog_keys import Kind, parse
from streams.journeys.partition import JourneyPartition
from tests.support.journeys import MINUTE, START, touchpoint
from tests.unit.streams.journeys.test_deadlines import Published, Worker

NOW = START + 60 * MINUTE
#: A journey with a case, an order and a cart of one person.
JOURNEY = [
    touchpoint("add_to_cart", 0),
    touchpoint("support_call", 1, issue_id="i"),
    touchpoint("home", 2),
    touchpoint("purchase", 3),
]
Changelog = dict[bytes, bytes | None]


def compacted(*parts: list[tuple[bytes, bytes | None]]) -> Changelog:
    found: Changelog = {}
    for part in parts:
        found |= dict(part)
    return {key: value for key, value in found.items() if value is not None}


def worker_of(count: int) -> tuple[Worker, Published]:
    broker = Published()
    worker = Worker(broker, NOW)
    for number, one in enumerate(JOURNEY[:count]):
        worker.take(one, offset=number)
    return worker, broker


@pytest.mark.parametrize("seen", range(len(JOURNEY) + 1))
def test_the_changelog_holds_again_what_the_owner_holds(seen: int) -> None:
    owner, broker = worker_of(len(JOURNEY))
    _, zombie = worker_of(seen)
    tombstones: list[tuple[bytes, bytes | None]] = [
        (key, None) for key, _ in broker.changelog[::2] if b"/i/" not in key
    ]
    late = zombie.changelog + tombstones

    before = list(broker.changelog)
    corrections = [change for record in late for change in owner.partition.correct(*record)]
    owner.tick()
    decided = broker.changelog[len(before) :]

    assert compacted(before, late) != compacted(before)
    assert compacted(before, late, corrections, decided) == compacted(broker.changelog)


def test_a_touchpoint_that_the_owner_has_given_away_does_not_come_back() -> None:
    owner, _ = worker_of(0)
    _, zombie = worker_of(1)
    corrections = [change for record in zombie.changelog for change in owner.partition.correct(*record)]
    assert [key for key in compacted(zombie.changelog, corrections) if Kind.WRITE_AHEAD not in key] == []


def test_the_next_owner_knows_what_a_zombie_raised_although_the_zombie_and_the_owner_have_cleared_it_away() -> (
    None
):
    """The zombie deletes what it wrote ahead, the owner what the zombie published, and then the owner is gone, too."""
    owner, _ = worker_of(0)
    _, zombie = worker_of(2)
    raised = {
        parse(key)[0] for key, value in zombie.changelog if Kind.WRITE_AHEAD in key and value is not None
    }
    assert raised
    corrections = [change for record in zombie.changelog for change in owner.partition.correct(*record)]

    following = JourneyPartition(0)
    for record in compacted(zombie.changelog, corrections).items():
        following.restore(*record)

    assert set(following.write_ahead.profiles()) == raised


def test_what_a_zombie_writes_ahead_is_perhaps_raised_until_the_owner_has_decided() -> None:
    owner, broker = worker_of(len(JOURNEY))
    _, zombie = worker_of(2)
    ahead = [(key, value) for key, value in zombie.changelog if b"/i/" in key and value is not None]
    assert ahead
    for record in ahead:
        assert list(owner.partition.correct(*record)) == []
    assert list(owner.partition.write_ahead.profiles())

    owner.tick()

    assert list(owner.partition.write_ahead.profiles()) == []
    assert {key for key, _ in ahead} <= {key for key, value in broker.changelog if value is None}


def test_records_of_one_worker_alone_need_no_correction() -> None:
    owner, broker = worker_of(len(JOURNEY))
    last = dict(broker.changelog)
    assert [change for record in last.items() for change in owner.partition.correct(*record)] == []


def test_signals_wait_for_inputs_that_are_to_be_repeated() -> None:
    _, zombie = worker_of(2)
    late = JourneyPartition(0)
    for key, value in zombie.changelog:
        if b"/i/" in key and value is not None:
            late.restore(key, value)
    raised = min(
        version // 2 for key in late.write_ahead.profiles() for version in late.write_ahead.ripe(key, 99)
    )
    for applied in range(-1, raised):
        late.applied = applied
        late.schedule_undecided()
        assert list(late.due(NOW)) == []
    late.applied = raised
    late.schedule_undecided()
    assert len(list(late.due(NOW))) == 1
