"""What an owner does about changelog records that a former owner wrote late."""

import pytest

from streams.journeys.changelog_keys import Kind, parse
from streams.journeys.partition import JourneyPartition
from streams.journeys.signals.published import NEVER, Publication
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.built_in import RULES
from tests.support.journeys import MINUTE, START, touchpoint
from tests.support.journeys_of import fed, give, long_journey
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


Record = tuple[bytes, bytes]
PROFILE = b"default/p1"


def written(effects: Effects) -> Record:
    """The one changelog record of a journey's change."""
    ((key, value),) = JourneyPartition(0).changelog(PROFILE, effects)
    assert value is not None
    return key, value


def copy_received(minute: int) -> Record:
    """A copy of one event, which was received so many minutes after it."""
    return written(give(Timeline("default", "p1"), JOURNEY[0] | {"received_at": START + minute * MINUTE}))  # type: ignore[arg-type]


def summary_of(first: int, end: int) -> Record:
    """The summary that the touchpoints of a long journey leave, from the first to before the end."""
    summed = fed(long_journey(1, end)[first:], RULES, every=50)
    return written(Effects(summaries=dict(summed.summaries)))


def published(version: int) -> Record:
    """A publication after an input of a version."""
    return PROFILE + Kind.PUBLICATION, Publication(version, NOW, NEVER, 0).encode()


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


#: What a former owner writes late, and what the owner holds. Of the two a restore keeps the first.
KEPT = {
    "a better copy": (copy_received(5), copy_received(9)),
    "another summary": (summary_of(0, 600), summary_of(600, 1200)),
    "a newer publication": (published(7), published(5)),
}
#: The same; and of the two a restore takes the second.
REPLACED = {
    "a worse copy": (copy_received(9), copy_received(5)),
    "an earlier summary": (summary_of(0, 600), summary_of(0, 1000)),
    "an older publication": (published(5), published(7)),
}


@pytest.mark.parametrize(("late", "current"), KEPT.values(), ids=KEPT)
def test_a_correction_takes_the_place_of_what_a_restore_would_keep(late: Record, current: Record) -> None:
    owner, following = JourneyPartition(0), JourneyPartition(0)
    owner.restore(*current)
    assert late[0] == current[0]
    for record in (late, *owner.correct(*late)):
        following.restore(*record)
    assert list(owner.correct(*late)) == [(late[0], None), current]
    assert list(following.correct(*current)) == [], "what the owner holds"


@pytest.mark.parametrize(("late", "current"), REPLACED.values(), ids=REPLACED)
def test_a_correction_that_a_restore_prefers_deletes_nothing_first(late: Record, current: Record) -> None:
    """A crash between the two records would lose what stands under the key."""
    owner = JourneyPartition(0)
    owner.restore(*current)
    assert list(owner.correct(*late)) == [current]


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
