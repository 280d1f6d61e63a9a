"""The laws of a subscriber group: nothing is lost, no lower version after a higher one, whatever crashes in between."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sdk.errors import StoreFullError, UnreadableError
from deploy.sdk.subscribe.kinds import GONE, HOLDS, SIGNALS, STATES
from deploy.sdk.subscribe.member import AWAY_SECONDS, Member
from deploy.sdk.subscribe.versions import Known, Versions
from schemas.errors import SettingsError, UnavailableError
from schemas.keys import profile_key
from tests.support.ids import named_id, person
from tests.support.kafka_records import Consumed
from tests.support.state_log import GARBAGE, no_state, placed, state
from tests.support.subscriber_group import (
    MEMORY,
    Group,
    calm,
    play,
    raised,
    signal_logs,
    state_logs,
    stormy,
    versions_of,
)  # fmt: skip

Rank = tuple[int, bool]


def group(kind: Any, log: list[Consumed]) -> Group:
    found = Group(kind, log)
    found.join()
    found.disturbed = False
    return found


def newest(log: list[Consumed], kind: Any) -> dict[str, Rank]:
    """The present truth by the rule of the documents: the highest version, of equal ones the one read last."""
    ranks: dict[str, Rank] = {}
    for record in log:
        reading = kind.read(record)
        name = reading.key.decode()
        if name not in ranks or reading.version >= ranks[name][0]:
            ranks[name] = reading.version, reading.mark == 0
    return ranks


def check_laws(found: Group, log: list[Consumed]) -> None:
    told = versions_of(found.told)
    assert {name: ranks[-1] for name, ranks in told.items()} == newest(log, found.kind)
    for name, ranks in told.items():
        versions = [version for version, _ in ranks]
        assert versions == sorted(versions), f"{name} was told a lower version after a higher one: {versions}"
    by_id: dict[str, Any] = {}
    for change in found.told:
        # repeats of one change have one id, and what they say is equal
        assert by_id.setdefault(change.id, change) == change
    if not found.disturbed:
        assert len(by_id) == len(found.told), "a change was told twice, and nothing had crashed"


@given(state_logs, st.lists(stormy, min_size=15, max_size=40))
def test_states_of_a_group_that_crashes_and_rebalances(log: list[Consumed], steps: list[Any]) -> None:
    found = group(STATES, log)
    play(found, steps)
    found.finish()
    check_laws(found, log)


@given(signal_logs, st.lists(stormy, min_size=15, max_size=40))
def test_signals_of_a_group_that_crashes_and_rebalances(log: list[Consumed], steps: list[Any]) -> None:
    found = group(SIGNALS, log)
    play(found, steps)
    found.finish()
    check_laws(found, log)


@given(signal_logs, st.lists(calm, min_size=10, max_size=40))
def test_without_a_crash_every_turn_of_a_signal_is_told_once_and_in_order(
    log: list[Consumed], steps: list[Any]
) -> None:
    found = group(SIGNALS, log)
    play(found, steps)
    found.finish()
    check_laws(found, log)
    for name, ranks in versions_of(found.told).items():
        assert all(one != other for one, other in pairwise(ranks)), name


def test_a_member_without_a_store_learns_what_was_told_before_it_and_tells_no_lower_version() -> None:
    log = placed([state("a", 5), state("a", 3), state("a", 6)])
    found = group(STATES, log)
    found.work(log[0].partition, 1)
    found.deliver(0, 1)
    found.commit(0)
    found.crash(0, loses_store=True, between=False)
    found.finish()
    assert [change.version for change in found.told] == [5, 6]


def test_a_new_group_that_starts_now_is_told_what_comes_and_knows_what_was() -> None:
    found = Member(STATES, Versions.in_memory(MEMORY), lambda: 1e9)
    assert found.begin(0, None, 0, 2, 2) == 0
    assert found.unclaimed == {0}
    assert found.commits() == {0: 2}, "the place where it starts is kept before anything is told"
    found.committed({0: 2})
    assert found.unclaimed == set()
    records = [state("a", 5), state("b", 1), state("a", 4), state("b", 2)]
    log = [one._replace(partition=0, offset=offset) for offset, one in enumerate(records)]
    found.take(0, log[:2])
    assert found.reached(0, 2, 2) is None
    found.take(0, log[2:])
    assert [(one.profile_id, one.version) for one in told_by(found)] == [(person("b"), 2)]


def test_control_a_group_that_commits_before_it_tells_loses_what_a_killed_member_had() -> None:
    for early in (True, False):
        log = placed([state("a", 1), state("b", 1), state("c", 1)])
        found = group(STATES, log)
        for partition in (0, 1):
            found.write(partition, 9)
            found.poll(partition, 9)
        if early:
            found.committed = dict(found.ends)
        found.crash(0, loses_store=True, between=False)
        found.finish()
        assert len(found.told) == (0 if early else 3)


def member(log: list[Consumed], versions: Versions | None = None, **options: Any) -> Member[Any]:
    found = Member(STATES, versions or Versions.in_memory(MEMORY), lambda: 1e9, **options)
    found.begin(0, None, 0, 0, 0)
    found.take(0, [one._replace(partition=0, offset=offset) for offset, one in enumerate(log)])
    return found


def told_by(found: Member[Any]) -> list[Any]:
    told = []
    while (change := found.next()) is not None:
        told.append(change)
        found.done()
    return told


def test_a_tombstone_is_the_end_of_a_profile_and_a_later_state_a_new_beginning() -> None:
    told = told_by(member([state("a", 1), no_state("a", 3), state("a", 2), state("a", 4)]))
    assert [(one.version, one.erased) for one in told] == [(1, False), (3, True), (4, False)]
    assert [one.id for one in told] == [f"default/{person('a')}:{version}" for version in (1, 3, 4)]


def test_a_change_that_was_not_done_is_the_first_to_be_told_again_and_its_offset_is_not_committed() -> None:
    found = member([state("a", 1), state("b", 1)])
    assert found.next() is found.next()
    assert found.commits() == {0: 0}
    found.done()
    assert found.commits() == {0: 1}
    found.committed({0: 1})
    assert found.commits() == {}


def test_a_raise_and_its_retraction_of_one_version_have_different_ids() -> None:
    found = Member(SIGNALS, Versions.in_memory(MEMORY), lambda: 1e9)
    found.begin(0, None, 0, 0, 0)
    records = [raised(1, 4), raised(1, 4, "RETRACTED"), raised(1, 4), raised(1, 4)]
    found.take(0, [one._replace(partition=0, offset=offset) for offset, one in enumerate(records)])
    assert [(one.id, one.raised) for one in told_by(found)] == [
        (f"{named_id('s1')}:4", True),
        (f"{named_id('s1')}:4.1", False),
        (f"{named_id('s1')}:4.2", True),
    ]


def test_an_unreadable_record_stops_the_member_with_its_place_after_all_before_it_were_told() -> None:
    found = member([state("a", 1), GARBAGE._replace(topic="journey-states"), state("b", 1)])
    assert found.next() is not None
    found.done()
    for _ in range(2):
        with pytest.raises(
            UnreadableError, match=r"journey-states, partition 0, offset 1.*upgrade touchline-sdk"
        ):
            found.next()
        found.done()
    assert found.commits() == {0: 1}


def test_on_unreadable_is_told_and_the_member_goes_on() -> None:
    met: list[int] = []
    found = member([GARBAGE, state("b", 1)], on_unreadable=lambda record, _: met.append(record.offset))
    assert [change.profile_id for change in told_by(found)] == [person("b")]
    assert met == [0]


def test_the_end_of_a_profile_that_kafka_tells_no_more_is_told_from_the_store() -> None:
    versions = Versions.in_memory(MEMORY)
    now = 1e9
    first = Member(STATES, versions, lambda: now)
    first.begin(0, None, 0, 2, 0)
    first.take(
        0, [one._replace(partition=0, offset=at) for at, one in enumerate([state("a", 1), state("b", 2)])]
    )
    assert len(told_by(first)) == 2
    now += AWAY_SECONDS + 1
    # meanwhile `a` was erased, and its state and tombstone were compacted away
    second = Member(STATES, versions, lambda: now)
    assert second.begin(0, 2, 1, 4, 0) == 1, "it reads all that is left"
    second.take(0, [state("b", 2)._replace(partition=0, offset=1)])
    second.reached(0, 4, 4)
    (gone,) = told_by(second)
    assert (gone.profile_id, gone.erased, gone.version, gone.id) == (
        person("a"),
        True,
        1,
        f"default/{person('a')}:1.1",
    )
    third = Member(STATES, versions, lambda: now)
    third.begin(0, 4, 1, 4, 0)
    third.reached(0, 4, 4)
    assert told_by(third) == []


def test_an_end_that_was_not_told_before_a_crash_is_told_after_it() -> None:
    versions = Versions.in_memory(MEMORY)
    now = 1e9
    first = Member(STATES, versions, lambda: now)
    first.begin(0, None, 0, 1, 0)
    first.take(0, [state("a", 1)._replace(partition=0, offset=0)])
    told_by(first)
    now += AWAY_SECONDS + 1
    for _ in range(2):  # the first is killed before it has told
        again = Member(STATES, versions, lambda: now)
        again.begin(0, 1, 2, 2, 0)
        again.reached(0, 2, 2)
        assert again.next().erased
    again.done()
    assert again.next() is None


def test_a_profile_that_begins_anew_while_its_end_waits_keeps_its_new_version() -> None:
    versions = Versions.in_memory(MEMORY)
    now = 1e9
    first = Member(STATES, versions, lambda: now)
    first.begin(0, None, 0, 1, 0)
    first.take(0, [state("a", 1)._replace(partition=0, offset=0)])
    told_by(first)
    now += AWAY_SECONDS + 1
    again = Member(STATES, versions, lambda: now)
    again.begin(0, 1, 2, 2, 0)
    again.reached(0, 2, 2)
    again.take(0, [state("a", 9)._replace(partition=0, offset=2)])
    assert [(one.version, one.erased) for one in told_by(again)] == [(1, True), (9, False)]
    again.take(0, [state("a", 5)._replace(partition=0, offset=3)])
    assert told_by(again) == []


def test_a_topic_that_was_made_anew_is_read_from_its_beginning() -> None:
    versions = Versions.in_memory(MEMORY)
    found = Member(STATES, versions, lambda: 1e9)
    found.begin(0, None, 0, 9, 0)
    found.take(0, [state("a", 5)._replace(partition=0, offset=8)])
    told_by(found)
    found.committed(found.commits())
    again = Member(STATES, versions, lambda: 1e9)
    assert again.begin(0, 9, 0, 1, 7) == 0
    again.take(0, [state("a", 1 << 50)._replace(partition=0, offset=0)])
    assert [one.version for one in told_by(again)] == [1 << 50]
    assert again.commits() == {0: 1}


def test_memory_that_is_full_is_one_sentence_and_what_was_not_noted_is_not_told() -> None:
    versions = Versions.in_memory(1)
    found = Member(STATES, versions, lambda: 1e9)
    found.begin(0, None, 0, 0, 0)

    def take_many() -> None:
        for at in range(10_000):
            found.take(0, [state(f"p{at}", 1)._replace(partition=0, offset=at)])

    with pytest.raises(StoreFullError, match="give store=, a folder"):
        take_many()
    place = versions.place(0)
    assert place is not None
    assert place.read == len(told_by(found)) > 100
    assert found.commits() == {0: place.read}


def test_a_store_is_one_members_of_one_group_and_topic(tmp_path: Path) -> None:
    first = Versions.on_disk(tmp_path, "desk", "journey-states", 0)
    with pytest.raises(UnavailableError, match="in use by another process"):
        Versions.on_disk(tmp_path, "desk", "journey-states", 0)
    first.close()
    with pytest.raises(SettingsError, match="belongs to group 'desk'"):
        Versions.on_disk(tmp_path, "mail", "journey-states", 0)


def test_a_store_survives_its_process_and_of_an_older_epoch_only_the_versions_do(tmp_path: Path) -> None:
    store = Versions.on_disk(tmp_path, "desk", "journey-states", 0)
    told_by(member([state("a", 7)], store))
    store.close()
    store = Versions.on_disk(tmp_path, "desk", "journey-states", 0)
    assert (store.known(profile_key("default", person("a"))), store.place(0).read) == (Known(7, 0, 0), 1)  # type: ignore[union-attr]
    store.close()
    store = Versions.on_disk(tmp_path, "desk", "journey-states", 1)
    assert (store.known(profile_key("default", person("a"))), store.place(0)) == (Known(7, 0, 0), None)
    store.close()


def test_the_id_of_an_erased_profile_leaves_the_files_of_the_store(tmp_path: Path) -> None:
    key = profile_key("default", person("b"))
    store = Versions.on_disk(tmp_path, "desk", "journey-states", 0)
    with store.transaction():
        store.note(key, 0, Known(1, HOLDS, 0), 1, 0)
        store.note(key, 0, Known(2, GONE, 0), 2, 0)
    assert store.forget(3, all_=False) == 1
    assert not any(key in one.read_bytes() for one in tmp_path.iterdir())
    store.close()


def test_versions_that_stand_for_nothing_are_forgotten_in_time() -> None:
    now = 1_767_225_600.0
    versions = Versions.in_memory(MEMORY)
    found = Member(STATES, versions, lambda: now)
    found.begin(0, None, 0, 0, 0)
    records = placed([state("a", 1), no_state("b", 1)])
    found.take(0, [one._replace(partition=0, offset=at) for at, one in enumerate(records)])
    now += 3 * AWAY_SECONDS
    found.forget()
    assert versions.known(profile_key("default", person("a"))) is not None
    assert versions.known(profile_key("default", person("b"))) is None
