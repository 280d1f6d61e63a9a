"""Assigns partitions to workers: each worker keeps what it has, and no worker has two more than another.

Faust's own assignor takes one partition from every worker that has one more than the least, and deals them out anew.
With 256 partitions on 100 workers the loss of one so moves 51 partitions where 3 must move, and every moved partition
is restored from its changelogs. The metadata of each of Faust's members also names the partitions of all members, for
Faust's table service, which Touchline does not use. Kafka keeps the metadata of a group in one record. With 100 workers
that record was larger than a broker takes. `tests/simulation/rebalances.py` counts both.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from faust.assignor.client_assignment import ClientAssignment, ClientMetadata, CopartitionedAssignment
from faust.assignor.cluster_assignment import ClusterAssignment
from faust.assignor.partition_assignor import PartitionAssignor


def deal(held: Mapping[str, set[int]], partitions: int) -> dict[str, set[int]]:
    """Each member's partitions, from what each has: balanced, and with as few changes of hands as balance allows.

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
        # the one who has the fewest, so that a lost worker's partitions are restored by many at once
        kept[min(kept, key=lambda name: (len(kept[name]), name))].append(partition)
    return {member: set(found) for member, found in kept.items()}


class StableAssignor(PartitionAssignor):  # type: ignore[misc]  # faust has no types for it
    """Faust's assignor with `deal`, whose members send the least metadata that Faust's own assignor understands."""

    @property
    def _metadata(self) -> ClientMetadata:
        return ClientMetadata(
            assignment=self._assignment,
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
        groups: dict[str, int] = {}
        copartitioned = self._get_copartitioned_groups(former.topics(), cluster, subscriptions)
        for number, (partitions, together) in enumerate(sorted(copartitioned.items())):
            for topics in together:
                groups.update(dict.fromkeys(topics, number))
                before = former.copartitioned_assignments(topics)
                held = {member: one.actives for member, one in before.items()}
                for member, actives in deal(held, partitions).items():
                    dealt = CopartitionedAssignment(actives=actives, standbys=set(), topics=topics)
                    assigned[member].add_copartitioned_assignment(dealt)
        encoded: MutableMapping[str, Any] = self._protocol_assignments(assigned, {}, {}, groups)
        return encoded
