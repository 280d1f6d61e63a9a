"""Partitions are dealt out evenly, all of them, to one member each, and change hands only where balance needs it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.assignor import deal

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
