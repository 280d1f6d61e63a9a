"""Partitions are dealt out evenly, all of them, to one member each, and change hands only where balance needs it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.assignor import deal, deal_standbys

PARTITIONS = 24
NAMES = st.text("abc", min_size=1, max_size=3)
HELD = st.dictionaries(NAMES, st.sets(st.integers(0, PARTITIONS + 2)), min_size=1, max_size=9)


@given(HELD)
def test_every_partition_has_one_member_and_nobody_two_more_than_another(held: dict[str, set[int]]) -> None:
    dealt = deal(held, PARTITIONS)
    assert dealt.keys() == held.keys()
    assert sorted(each for found in dealt.values() for each in found) == list(range(PARTITIONS))
    counts = [len(found) for found in dealt.values()]
    assert max(counts) - min(counts) <= 1


@given(HELD)
def test_what_is_dealt_stays(held: dict[str, set[int]]) -> None:
    dealt = deal(held, PARTITIONS)
    assert deal(dealt, PARTITIONS) == dealt


@given(HELD, NAMES, st.booleans())
def test_as_few_change_hands_as_balance_allows(held: dict[str, set[int]], name: str, joins: bool) -> None:
    before = deal(held, PARTITIONS)
    members = {one: found for one, found in before.items() if one != name}
    if joins or not members:
        members[name] = set()
    after = deal(members, PARTITIONS)
    kept = sum(len(found & members[one]) for one, found in after.items())
    least, more = divmod(PARTITIONS, len(members))
    most = sum(min(len(found), least) for found in members.values())
    assert kept == most + min(more, sum(len(found) > least for found in members.values()))


def test_the_partitions_of_a_lost_worker_go_to_many() -> None:
    before = {f"worker-{number}": set(range(number * 8, number * 8 + 8)) for number in range(5)}
    del before["worker-2"]
    after = deal(before, 40)
    assert sorted(len(after[name] - found) for name, found in before.items()) == [2, 2, 2, 2]


def test_of_two_who_claim_a_partition_one_has_it() -> None:
    assert deal({"a": {0, 1}, "b": {0, 1}}, 2) == {"a": {0}, "b": {1}}


def test_a_group_without_members_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="without members"):
        deal({}, 3)


COPIES = st.dictionaries(NAMES, st.sets(st.integers(0, PARTITIONS + 2)), max_size=9)


@given(HELD, COPIES)
def test_copies_change_nothing_about_balance_and_about_what_stays(
    held: dict[str, set[int]], copies: dict[str, set[int]]
) -> None:
    cold, warm = deal(held, PARTITIONS), deal(held, PARTITIONS, copies)
    assert sorted(each for found in warm.values() for each in found) == list(range(PARTITIONS))
    assert sorted(map(len, warm.values())) == sorted(map(len, cold.values()))
    assert deal(warm, PARTITIONS, copies) == warm


def test_a_lost_workers_partitions_go_where_their_copies_are() -> None:
    before = {"a": {0, 1}, "b": {2, 3}, "c": {4, 5}}
    copies = {"a": {5, 2}, "b": {4, 0}}
    del before["c"]
    assert deal(before, 6, copies) == {"a": {0, 1, 5}, "b": {2, 3, 4}}
    assert deal(before, 6) == {"a": {0, 1, 4}, "b": {2, 3, 5}}, "without copies it would be otherwise"


@given(HELD, COPIES, st.integers(0, 3))
def test_so_many_copies_of_each_partition_are_kept_and_none_beside_its_owner(
    held: dict[str, set[int]], copies: dict[str, set[int]], replicas: int
) -> None:
    owned = deal(held, PARTITIONS)
    dealt = deal_standbys(owned, copies, PARTITIONS, replicas)
    assert dealt.keys() == copies.keys()
    for partition in range(PARTITIONS):
        able = [name for name in copies if partition not in owned.get(name, ())]
        keep = [name for name, found in dealt.items() if partition in found]
        assert set(keep) <= set(able)
        assert len(keep) == min(replicas, len(able))
    assert deal_standbys(owned, dealt, PARTITIONS, replicas) == dealt, "dealing again changes nothing"


@given(st.integers(2, 9), st.integers(1, 3), st.data())
def test_copies_are_dealt_out_evenly(members: int, replicas: int, data: st.DataObject) -> None:
    names = [f"w{number}" for number in range(members)]
    owned = deal({name: set() for name in names}, PARTITIONS)
    copies = {name: data.draw(st.sets(st.integers(0, PARTITIONS - 1))) for name in names}
    counts = [len(found) for found in deal_standbys(owned, copies, PARTITIONS, replicas).values()]
    assert max(counts) - min(counts) <= 2


def test_a_member_that_keeps_no_copies_gets_none() -> None:
    owned = {"old": {0}, "new": {1}}
    assert deal_standbys(owned, {"new": set()}, 2, 1) == {"new": {0}}
