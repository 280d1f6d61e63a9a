"""Assigns partitions to workers: each worker keeps what it has, and no worker has two more than another.

Faust's own assignor takes one partition from every worker that has one more than the least, and deals them out anew.
With 256 partitions on 100 workers the loss of one so moves 51 partitions where 3 must move, and every moved partition
is restored from its changelogs. The metadata of each of Faust's members also names the partitions of all members, for
Faust's table service, which Touchline does not use. Kafka keeps the metadata of a group in one record. With 100 workers
that record was larger than a broker takes. `tests/simulation/rebalances.py` counts both.

The leader also deals standbys (standby.py): who keeps a warm copy of which partitions. Faust knows nothing of them:
they stand in the assignment under a name that is no topic. A partition whose worker is lost goes to one with a copy.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from faust.assignor.client_assignment import ClientAssignment, ClientMetadata, CopartitionedAssignment
from faust.assignor.cluster_assignment import ClusterAssignment
from faust.assignor.partition_assignor import PartitionAssignor

#: Stands in an assignment for the changelogs of which a member keeps copies. A member that can keep some says so by
#: naming it. No topic has this name: a comma is not allowed in one.
STANDBYS: Final = "standbys,"


def deal(
    held: Mapping[str, set[int]], partitions: int, copies: Mapping[str, set[int]] | None = None
) -> dict[str, set[int]]:
    """Each member's partitions, from what each has: balanced, and with as few changes of hands as balance allows.

    What nobody has goes to a member that has a copy (`copies`), as far as balance allows.

    A partition that two members claim stays with the first by name: one of them is out of date, and nobody can tell
    which. The result depends on the arguments alone. Raises ValueError without members.
    """
    if not held:
        raise ValueError("a group without members has no partitions to deal")
    least, more = divmod(partitions, len(held))
    free = set(range(partitions))
    kept: dict[str, list[int]] = {}
    for member in sorted(held):
        kept[member] = sorted(held[member] & free)
        free.difference_update(kept[member])
    # those who have the most may have one more than the least: taking it from them would be a move for nothing
    for member in sorted(kept, key=lambda name: (-len(kept[name]), name)):
        room = least + (more > 0)
        if len(kept[member]) > least:
            more -= more > 0
        free.update(kept[member][room:])
        del kept[member][room:]
    for partition in sorted(free):
        warm = [name for name, found in (copies or {}).items() if partition in found and name in kept]
        for name in sorted(warm, key=lambda name: (len(kept[name]), name)):
            if len(kept[name]) < least + (more > 0):
                more -= len(kept[name]) == least
                kept[name].append(partition)
                free.remove(partition)
                break
    for partition in sorted(free):
        # the one who has the fewest, so that a lost worker's partitions are restored by many at once
        kept[min(kept, key=lambda name: (len(kept[name]), name))].append(partition)
    return {member: set(found) for member, found in kept.items()}


def deal_standbys(
    owned: Mapping[str, set[int]], copies: Mapping[str, set[int]], partitions: int, replicas: int
) -> dict[str, set[int]]:
    """Which partitions each member keeps a copy of: `replicas` of each partition, none beside its owner.

    `owned` has the partitions of each member, `copies` the copies of those that can keep some. They are dealt out
    evenly, and as many as possible stay. With too few members there are fewer. Dealing again changes nothing.
    """
    owner = {partition: name for name, found in owned.items() for partition in found}
    dealt: dict[str, set[int]] = {name: set() for name in sorted(copies)}
    missing = dict.fromkeys(range(partitions), replicas)

    for name in dealt:
        for partition in sorted(copies[name]):
            if missing.get(partition, 0) and owner.get(partition) != name:
                dealt[name].add(partition)
                missing[partition] -= 1
    for partition, count in missing.items():
        # copies of one owner's partitions with many others: each of them has room for a few when the owner is lost
        beside = owned.get(owner.get(partition, ""), set())
        able = [name for name in dealt if owner.get(partition) != name and partition not in dealt[name]]
        able.sort(key=lambda name: (len(dealt[name] & beside), len(dealt[name]), name))
        for name in able[:count]:
            dealt[name].add(partition)
    while (move := _to_even_out(dealt, owner)) is not None:
        partition, most, least = move
        dealt[most].remove(partition)
        dealt[least].add(partition)
    return dealt


def _to_even_out(dealt: Mapping[str, set[int]], owner: Mapping[int, str]) -> tuple[int, str, str] | None:
    """A copy that a member with two more than another can hand to it: which, from whom, to whom; None without one."""
    by_load = sorted(dealt, key=lambda name: (len(dealt[name]), name))
    for most in reversed(by_load):
        for least in by_load:
            if len(dealt[most]) < len(dealt[least]) + 2:
                break
            movable = [each for each in dealt[most] - dealt[least] if owner.get(each) != least]
            if movable:
                return min(movable), most, least
    return None


class StableAssignor(PartitionAssignor):  # type: ignore[misc]  # faust has no types for it
    """Faust's assignor with `deal`, whose members send the least metadata that Faust's own assignor understands."""

    def dealt_standbys(self) -> set[int]:
        """The partitions of whose changelogs this member keeps copies."""
        return set(self._assignment.standbys.get(STANDBYS, ()))

    def assigned_standbys(self) -> set[Any]:
        """None: Faust would apply their records to the tables of the agents."""
        return set()

    @property
    def _replicas(self) -> int:
        return int(self.app.settings.standby_replicas)

    @property
    def _metadata(self) -> ClientMetadata:
        standbys = {STANDBYS: sorted(self.dealt_standbys())} if self._replicas else {}
        return ClientMetadata(
            assignment=ClientAssignment(actives=self._assignment.actives, standbys=standbys),
            url=str(self._url),
            changelog_distribution={},
            external_topic_distribution={},
            topic_groups=self._topic_groups,
        )

    def _get_changelog_distribution(self, assignments: Mapping[str, ClientAssignment]) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def _get_external_topic_distribution(self, assignments: Mapping[str, ClientAssignment]) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def _perform_assignment(
        self, cluster: Any, member_metadata: Mapping[str, Any]
    ) -> MutableMapping[str, Any]:
        clients = {member: self._get_client_metadata(sent) for member, sent in member_metadata.items()}
        subscriptions = {member: list(sent.subscription) for member, sent in member_metadata.items()}
        former = ClusterAssignment()
        for member, client in clients.items():
            former.add_client(member, subscriptions[member], client)
        self._update_member_urls(clients)
        assigned = {member: ClientAssignment(actives={}, standbys={}) for member in clients}
        copies = {
            member: set(client.assignment.standbys[STANDBYS])
            for member, client in clients.items()
            if STANDBYS in client.assignment.standbys
        }
        groups: dict[str, int] = {}
        copartitioned = self._get_copartitioned_groups(former.topics(), cluster, subscriptions)
        for number, (partitions, together) in enumerate(sorted(copartitioned.items())):
            for topics in together:
                groups.update(dict.fromkeys(topics, number))
                before = former.copartitioned_assignments(topics)
                held = {member: one.actives for member, one in before.items()}
                owned = deal(held, partitions, copies)
                for member, actives in owned.items():
                    dealt = CopartitionedAssignment(actives=actives, standbys=set(), topics=topics)
                    assigned[member].add_copartitioned_assignment(dealt)
                if self.app.tables.changelog_topics & set(topics):
                    kept = deal_standbys(owned, copies, partitions, self._replicas)
                    for member, found in kept.items():
                        assigned[member].standbys[STANDBYS] = sorted(found)
        encoded: MutableMapping[str, Any] = self._protocol_assignments(assigned, {}, {}, groups)
        return encoded
