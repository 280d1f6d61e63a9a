"""A change of members moves as few partitions as balance allows, and the group stays small enough for Kafka."""

import pytest
from faust.assignor.partition_assignor import PartitionAssignor

from schemas.topics import MAX_MESSAGE_BYTES
from streams.runtime.assignor import StableAssignor
from tests.simulation.rebalances import Fleet, changes


@pytest.mark.parametrize(("workers", "partitions"), [(2, 8), (7, 32), (30, 64)])
def test_no_partition_moves_without_need(workers: int, partitions: int) -> None:
    found = changes(Fleet(StableAssignor, workers, partitions), count=3, seed=workers)
    assert [each.moved for each in found] == [each.needed for each in found]


def test_fausts_own_assignor_moves_more_than_that() -> None:
    found = changes(Fleet(PartitionAssignor, 30, 64), count=2, seed=1)
    assert sum(each.moved for each in found) > sum(each.needed for each in found)


def test_a_hundred_workers_fit_into_one_record_of_kafka() -> None:
    fleet = Fleet(StableAssignor, 100, 256)
    assert fleet.lose("worker-0001").record_bytes < MAX_MESSAGE_BYTES / 4


def test_members_of_both_kinds_share_a_group_during_an_upgrade() -> None:
    """Whoever leads: a member of the release before understands what it is told, and keeps its partitions."""
    old, new = Fleet(PartitionAssignor, 3, 12), Fleet(StableAssignor, 3, 12)
    for leader_first in (True, False):
        mixed = Fleet(StableAssignor, 1, 12)
        members = [*old.members.values(), *new.members.values()]
        mixed.members = {f"m{n}": one for n, one in enumerate(members if leader_first else members[::-1])}
        mixed.rebalance()
        counts = [[*mixed.owners().values()].count(name) for name in mixed.members]
        assert counts == [2] * 6
        before = mixed.owners()
        mixed.rebalance()
        assert mixed.owners() == before
