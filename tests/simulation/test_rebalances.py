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


@pytest.mark.parametrize("replicas", [0, 2])
def test_a_hundred_workers_fit_into_one_record_of_kafka(replicas: int) -> None:
    fleet = Fleet(StableAssignor, 100, 256, replicas)
    assert fleet.lose("worker-0001").record_bytes < MAX_MESSAGE_BYTES / 4


def test_a_lost_workers_partitions_go_to_those_who_keep_copies_of_them() -> None:
    fleet = Fleet(StableAssignor, 4, 16, replicas=1)
    fleet.rebalance()  # who joined last is told with the next one
    lost = fleet.members["worker-0002"].assigned_actives()
    copies = {name: member.dealt_standbys() for name, member in fleet.members.items()}
    fleet.lose("worker-0002")
    for partition in {tp.partition for tp in lost}:
        assert partition in copies[fleet.owners()[partition]]


def test_faust_is_told_of_no_standby_and_reads_none() -> None:
    fleet = Fleet(StableAssignor, 3, 12, replicas=1)
    for member in fleet.members.values():
        assert member.dealt_standbys()
        assert member.assigned_standbys() == set()
        assert not {tp.partition for tp in member.assigned_actives()} & member.dealt_standbys()


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
