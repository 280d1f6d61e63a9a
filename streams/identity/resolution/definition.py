"""Resolution: a tenant's profiles as a pure function of its evidence. This is the definition.

It fixes the order of the links. What one link does in its turn, unite or refuse, is `Clusters.decide`; the rules for a
refusal are in `Clusters.reason_to_refuse`. In the end each oversized cluster is dissolved, which no order changes. The
incremental form (`components`) must end in the same result (docs/design.md).
"""

from collections.abc import Iterator, Mapping

from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.clusters import COMPONENT_SIZE, Clusters
from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, items, join
from streams.identity.resolution.profile_id import Assignment, contested_profile, own_profile

__all__ = [
    "Assignment",
    "Evidence",
    "Item",
    "Node",
    "Pair",
    "Resolution",
    "contested_profile",
    "join",
    "own_profile",
    "resolve",
]


def resolve(tenant: str, policy: IdentityPolicy, links: Mapping[Pair, Evidence]) -> "Resolution":
    """Decide each link in order of (time, pair, observed before asserted)."""
    clusters = Clusters(tenant, policy)
    for item in sorted(item for pair, evidence in links.items() for item in items(pair, evidence)):
        clusters.decide(item)
    for item in clusters.refused_for_size(links.items()):
        clusters.refused[item] = COMPONENT_SIZE
    return Resolution(clusters)


class Resolution(Mapping[Node, Assignment]):
    """The assignment of each identifier that has a link; also the profiles' members and the refused links."""

    def __init__(self, clusters: Clusters) -> None:
        self._assignments = {node: clusters.assignment(node) for node in sorted(clusters.cluster_of)}
        #: link → the reason of its refusal (`Clusters`)
        self.refused: dict[Item, str] = clusters.refused
        self.profiles: dict[str, list[Node]] = {}  #: profile id → its members, sorted
        for node, assignment in self._assignments.items():
            self.profiles.setdefault(assignment.profile_id, []).append(node)
            if assignment.contested_profile_id is not None:
                self.profiles[assignment.contested_profile_id] = [node]

    def __getitem__(self, node: Node) -> Assignment:
        return self._assignments[node]

    def __iter__(self) -> Iterator[Node]:
        return iter(self._assignments)

    def __len__(self) -> int:
        return len(self._assignments)
