"""What one piece of evidence changed: whose identifiers are whose, which profiles merged and split."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.identity.evidence import Node, Pair
from streams.identity.profile_id import Assignment
from streams.identity.uniting import Cluster, Clusters, Undo
from streams.identity.work import Work, rest


@dataclass(frozen=True, slots=True)
class Decision:
    """The consequences of one piece of new evidence, in a fixed order; all empty if it changed no profile."""

    #: identifier, its assignment before (None: it had no link, so it was its own profile) and after
    changed: list[tuple[Node, Assignment | None, Assignment]] = field(default_factory=list)
    #: survivor, the profiles that are gone, rule: `link` or `asserted`
    merged: list[tuple[str, list[str], str]] = field(default_factory=list)
    #: the profile that lost members, the profiles that appeared, rule: `contested:<type>` of the identifier
    #: that is shared, or `order` when late evidence made earlier links end differently
    split: list[tuple[str, list[str], str]] = field(default_factory=list)


class Journal:
    """Remembers what stood before a decision, for just what it touches. The first note of a thing counts.

    A large profile that takes a small one in, or loses one, costs the small one's size: what stays in its cluster
    all the time is told by the cluster's name. So as long as an identifier is not noted itself, it is where it
    was before, and that cluster was noted before it got another name.
    """

    def __init__(self) -> None:
        self._before: dict[Node, Assignment | None] = {}
        self._names: dict[Cluster, str] = {}  # cluster → its profile id
        self._anchors: dict[str, Node] = {}  # profile id → the identifier that it was named after

    def newcomer(self, cluster: Cluster) -> None:
        """Note the cluster of an identifier that has no link yet."""
        self._before[cluster.anchor] = None
        self._anchors[cluster.profile_id] = cluster.anchor

    def cluster(self, cluster: Cluster) -> None:
        """Note a cluster that may get another name. One that was made since is none of ours."""
        if cluster not in self._names and cluster.members[0] not in self._before:
            self._names[cluster] = cluster.profile_id
            self._anchors[cluster.profile_id] = cluster.anchor

    def identifiers(self, clusters: Clusters, nodes: Iterable[Node]) -> None:
        """Note identifiers that may go to another cluster or become contested."""
        for node in nodes:
            if node not in self._before:
                cluster = clusters.cluster_of[node]
                self.cluster(cluster)
                before = clusters.assignment(node)
                self._before[node] = before._replace(profile_id=self._names[cluster])

    def uniting(self, clusters: Clusters, pair: Pair, anchor: Node) -> None:
        """Note what uniting two sides under this identifier's name will change."""
        kept, absorbed = clusters.sides(pair)
        if kept is not absorbed:
            self.identifiers(clusters, absorbed.members)
        if kept.anchor != anchor:
            self.cluster(kept)

    def parting(self, clusters: Clusters, undo: Undo) -> None:
        """Note what taking back a union will change."""
        self.cluster(undo.kept)
        if undo.absorbed is not None:
            self.identifiers(clusters, undo.absorbed.members)

    def decision(self, clusters: Clusters, merge_rule: str, split_rule: str) -> Work[Decision]:
        """Compare what was noted with what stands now."""
        for cluster, name in list(self._names.items()):
            if cluster.profile_id != name:
                for count, node in enumerate(cluster.members):
                    yield from rest(count + 1)
                    self.identifiers(clusters, (node,))
        changed: list[tuple[Node, Assignment | None, Assignment]] = []
        for count, (node, before) in enumerate(self._before.items(), start=1):
            yield from rest(count)
            after = clusters.assignment(node)
            if after != before:
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
        )

    def _gone(self, clusters: Clusters) -> dict[str, str]:
        """Profile id that names nothing any more → the profile of the identifier it was named after.

        Only that identifier's own cluster can carry the name, so looking at it is enough.
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
        """Profile id that named nothing before → the profile its anchor was in, and the rule.

        A profile that merely carries on another's members under a new name is a merge, not a split.
        """
        appeared: dict[str, tuple[str, str]] = {}
        for profile_id, anchor in self._profiles_of(clusters, changed).items():
            before = self._before.get(anchor)
            if before is None or before.profile_id == profile_id:
                continue
            if survivor_of.get(before.profile_id) != profile_id:
                appeared[profile_id] = before.profile_id, rule
        return appeared

    def _profiles_of(
        self, clusters: Clusters, changed: list[tuple[Node, Assignment | None, Assignment]]
    ) -> dict[str, Node]:
        anchors: dict[str, Node] = {}
        for node, _, after in changed:
            if after.profile_id not in anchors:
                cluster = clusters.cluster_of.get(node)
                anchors[after.profile_id] = node if cluster is None else cluster.anchor
        return anchors


def _grouped(profiles: dict[str, tuple[str, str]]) -> list[tuple[str, list[str], str]]:
    """Profile → (counterpart, rule) turned into (counterpart, profiles, rule), all sorted."""
    groups: dict[tuple[str, str], list[str]] = {}
    for profile_id, counterpart in profiles.items():
        groups.setdefault(counterpart, []).append(profile_id)
    return [(counterpart, sorted(ids), rule) for (counterpart, rule), ids in sorted(groups.items())]
