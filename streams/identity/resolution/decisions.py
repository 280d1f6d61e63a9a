"""Decisions: the changes that one piece of evidence makes to assignments, and the merges and splits of profiles."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streams.identity.resolution.cluster import Cluster, Undo
from streams.identity.resolution.clusters import COMPONENT_SIZE, Clusters
from streams.identity.resolution.evidence import Node, Pair
from streams.identity.resolution.profile_id import Assignment, own_profile
from streams.identity.resolution.resumable import Resumable, yield_sometimes
from streams.identity.resolution.review import Review


@dataclass(frozen=True, slots=True)
class Decision:
    """The consequences of one piece of evidence, in a fixed order. All lists are empty if it changed no profile."""

    #: identifier, assignment before (None: it had no link, so it owned itself), assignment after
    changed: list[tuple[Node, Assignment | None, Assignment]] = field(default_factory=list)
    #: surviving profile, profiles that it absorbed, rule: `link` or `asserted`
    merged: list[tuple[str, list[str], str]] = field(default_factory=list)
    #: profile that lost members, profiles that appeared, rule: `contested:<type>` with the type of the shared
    #: identifier, `component_size` if it held more identifiers than the policy allows, or `order` if late evidence
    #: changed the decisions of other links
    split: list[tuple[str, list[str], str]] = field(default_factory=list)
    #: identifier → profiles that may hold its touchpoints beside those that owned it before (`review`)
    held: Mapping[Node, frozenset[str]] = field(default_factory=dict)
    is_evidence_new: bool = True  #: False: the evidence was known; only a change of policy is published


class BeforeImages:
    """The state before a decision, recorded just before each change. The first image of an object counts.

    The cost is proportional to the smaller side of a union or a split. The members that stay in the larger cluster are
    not recorded one by one: the former name of their cluster stands for them. So an identifier without an image is in
    the cluster in which it was before, and that cluster has an image if its name changed.
    """

    def __init__(self) -> None:
        self._before: dict[Node, Assignment | None] = {}
        #: cluster → its profile id before; None if it was oversized
        self._names: dict[Cluster, str | None] = {}
        self._anchors: dict[str, Node] = {}  # profile id → its anchor
        self._held: Mapping[Node, frozenset[str]] = {}

    def reviewed(self, review: Review) -> None:
        """Record what a former policy had decided, before anything else is recorded of these identifiers."""
        self._before |= review.before
        self._anchors |= review.anchors
        self._held = review.holders

    def newcomer(self, cluster: Cluster) -> None:
        """Record that the identifier of this new cluster had no link."""
        self._before[cluster.anchor] = None
        self._anchors[cluster.profile_id] = cluster.anchor

    def cluster(self, clusters: Clusters, cluster: Cluster) -> None:
        """Record the name of a cluster, before it may change. Ignores clusters that this decision created."""
        if cluster not in self._names and cluster.members[0] not in self._before:
            name = self._names[cluster] = clusters.name(cluster)
            if name is not None:
                self._anchors[name] = cluster.anchor

    def identifiers(self, clusters: Clusters, nodes: Iterable[Node]) -> None:
        """Record identifiers, before they may move to another cluster or become contested."""
        for node in nodes:
            if node not in self._before:
                cluster = clusters.cluster_of[node]
                self.cluster(clusters, cluster)
                name = self._names[cluster]
                if name is None:
                    name = own_profile(clusters.tenant, node)
                    self._anchors[name] = node
                self._before[node] = clusters.assignment(node)._replace(profile_id=name)

    def before_uniting(self, clusters: Clusters, pair: Pair, anchor: Node) -> None:
        """Record what a union of two sides under this anchor will change."""
        kept, absorbed = clusters.sides(pair)
        if kept is not absorbed:
            self.identifiers(clusters, absorbed.members)
        both = len(kept.members) + (0 if kept is absorbed else len(absorbed.members))
        if kept.anchor != anchor or clusters.exceeds(both):
            self.cluster(clusters, kept)

    def before_reverting(self, clusters: Clusters, undo: Undo) -> None:
        """Record what the revert of a union will change."""
        self.cluster(clusters, undo.kept)
        if undo.absorbed is not None:
            self.identifiers(clusters, undo.absorbed.members)

    def decision(self, clusters: Clusters, merge_rule: str, split_rule: str) -> Resumable[Decision]:
        """The difference between the recorded state and the present state of `clusters`."""
        for cluster, name in list(self._names.items()):
            if clusters.name(cluster) != name:
                for count, node in enumerate(cluster.members):
                    yield from yield_sometimes(count + 1)
                    self.identifiers(clusters, (node,))
        changed: list[tuple[Node, Assignment | None, Assignment]] = []
        for count, (node, before) in enumerate(self._before.items(), start=1):
            yield from yield_sometimes(count)
            after = clusters.assignment(node)
            if after != before or not self._held.get(node, frozenset()) <= {after.profile_id}:
                changed.append((node, before, after))
        if not changed:
            return Decision()
        changed.sort(key=lambda change: change[0])
        survivor_of = self._gone(clusters)
        appeared = self._appeared(clusters, changed, survivor_of, split_rule)
        for (type_, _), before, after in changed:
            was = None if before is None else before.contested_profile_id
            if was is not None and after.contested_profile_id is None:
                survivor_of[was] = after.profile_id
            if was is None and after.contested_profile_id is not None:
                appeared[after.contested_profile_id] = after.profile_id, f"contested:{type_}"
        return Decision(
            changed,
            _grouped({gone: (survivor, merge_rule) for gone, survivor in survivor_of.items()}),
            _grouped(appeared),
            self._held,
        )

    def _gone(self, clusters: Clusters) -> dict[str, str]:
        """Profile id that no longer exists → the profile that now owns its anchor.

        Only the cluster of its anchor can carry a profile id, so the anchor's assignment tells whether the profile
        still exists.
        """
        now = {id_: clusters.assignment(anchor).profile_id for id_, anchor in self._anchors.items()}
        return {was: profile_id for was, profile_id in now.items() if profile_id != was}

    def _appeared(
        self,
        clusters: Clusters,
        changed: list[tuple[Node, Assignment | None, Assignment]],
        survivor_of: dict[str, str],
        rule: str,
    ) -> dict[str, tuple[str, str]]:
        """Profile id that is new → the profile that owned its anchor before, and the rule.

        A profile that only renames the members of a vanished one counts as a merge, not as a split.
        """
        appeared: dict[str, tuple[str, str]] = {}
        for profile_id, anchor in self._profiles_of(clusters, changed).items():
            before = self._before.get(anchor)
            if before is None or before.profile_id == profile_id:
                continue
            if survivor_of.get(before.profile_id) != profile_id:
                oversized = clusters.cluster_of.get(anchor) in clusters.oversized
                appeared[profile_id] = before.profile_id, COMPONENT_SIZE if oversized else rule
        return appeared

    def _profiles_of(
        self, clusters: Clusters, changed: list[tuple[Node, Assignment | None, Assignment]]
    ) -> dict[str, Node]:
        anchors: dict[str, Node] = {}
        for node, _, after in changed:
            if after.profile_id not in anchors:
                linked = node in clusters.cluster_of
                anchors[after.profile_id] = clusters.profile_and_anchor(node)[1] if linked else node
        return anchors


def _grouped(profiles: dict[str, tuple[str, str]]) -> list[tuple[str, list[str], str]]:
    """Turn profile → (counterpart, rule) into (counterpart, profiles, rule), all sorted."""
    groups: dict[tuple[str, str], list[str]] = {}
    for profile_id, counterpart in profiles.items():
        groups.setdefault(counterpart, []).append(profile_id)
    return [(counterpart, sorted(ids), rule) for (counterpart, rule), ids in sorted(groups.items())]
