"""Clusters of identifiers, and the one step of resolution: unite the two sides of the next link, or refuse the link.

The batch definition (`definition`) takes this step for all links in order. The incremental form (`components`) takes
the same step for a link that is the newest of its component.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from streams.identity.policy.decision_rules import Rules
from streams.identity.resolution.cluster import AnchorKey, Cluster, ClusterName, Counts, Undo
from streams.identity.resolution.counting import SharedCounts, counted_as, type_of
from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, items
from streams.identity.resolution.gates import Gate, Gates, by_gate
from streams.identity.resolution.profile_id import Assignment, contested_profile, own_profile
from streams.identity.resolution.refused_links import RefusedLinks

#: How the reasons of refusals by a rule begin.
UNIQUE, LIMIT = "unique:", "limit:"
#: Reason of a refusal: the link belongs to a component of more identifiers than the policy lets links unite.
COMPONENT_SIZE: Final = "component_size"


class Clusters:
    """A tenant's clusters, contested identifiers and refused links.

    `gates` refuse links without a look at the clusters. `refused` maps a link to its reason: `unique:<type>`,
    `limit:<type>`, `closed:<type>`, `quarantined` or `contested`.

    A cluster of more members than `component_size` is *oversized*: each of its members is a profile of its own, and
    so all links that united it count as refused (`COMPONENT_SIZE`). This depends on the final clusters alone. So it
    changes no other decision, needs no order, and a further link of an oversized cluster changes no owner.
    """

    def __init__(self, tenant: str, policy: Rules) -> None:
        self.tenant = tenant
        self._rule = policy.for_tenant(tenant).rule
        self.gates = Gates(policy.for_tenant(tenant).close_after)
        self._quarantine_after = policy.for_tenant(tenant).quarantine_after
        self._component_size = policy.for_tenant(tenant).component_size
        self.cluster_of: dict[Node, Cluster] = {}
        self.oversized: set[Cluster] = set()
        self.refused = RefusedLinks()
        #: the links that a rule refused, by each of their identifiers, in the order of their decisions
        self.refused_at: dict[Node, list[Item]] = {}
        self._counts = SharedCounts()

    def decide(self, item: Item) -> None:
        """Unite or refuse the next link. Every earlier link of its component must have been decided before."""
        for node in item[1]:
            if node not in self.cluster_of:
                self.add(node)
        reason = self.reason_to_refuse(item)
        if reason is None:
            self.unite(item, self.survivor(item))
        else:
            self.refuse(item, reason)

    def add(self, node: Node) -> Cluster:
        """Add an identifier as a cluster of its own: it has no link yet, or all its component's are decided again."""
        self.oversized.discard(self.cluster_of.get(node))
        rule = self._rule(node[0])
        counts = {counted_as(node): 1} if rule.unique or rule.limit is not None else {}
        cluster = Cluster(self.tenant, node, self._counts.shared(counts))
        self.cluster_of[node] = cluster
        return cluster

    def reason_to_refuse(self, item: Item) -> str | None:
        """The reason to refuse this link; None if it may unite its sides."""
        _, (left, right), asserted = item
        gate = None if asserted else self.gates.of(item)
        if gate is not None:
            return gate.reason
        one, other = self.cluster_of[left], self.cluster_of[right]
        if one is other:
            return None
        both_hold = sorted(one.counts.keys() & other.counts.keys())
        if not asserted:
            for counted in both_hold:
                if self._rule(type_of(counted)).unique:
                    return f"{UNIQUE}{type_of(counted)}"
        for counted in both_hold:
            limit = self._rule(type_of(counted)).limit
            if limit is not None and one.counts[counted] + other.counts[counted] > limit:
                return f"{LIMIT}{type_of(counted)}"
        return None

    def obeys_every_rule(self, one: Cluster, other: Cluster) -> bool:
        """Whether the union of two clusters has at most one value of each unique type and respects each limit."""
        if one is other:
            return not any(
                count > 1 and self._rule(type_of(each)).unique for each, count in one.counts.items()
            )
        for counted, count in (one.counts | other.counts).items():
            rule = self._rule(type_of(counted))
            total = count if counted not in one.counts else one.counts[counted] + other.counts.get(counted, 0)
            if (rule.unique and total > 1) or (rule.limit is not None and total > rule.limit):
                return False
        return True

    def keeps_every_refusal(self, one: Cluster, other: Cluster) -> bool:
        """Whether the refusals at the two clusters would be the same, with the same reasons, had they united earlier.

        Precondition: the union obeys every rule. An earlier union only adds members to the sides of a refused link, so
        a broken rule stays broken; but a rule that is checked earlier may be broken too, which changes the reason. The
        test compares final members, so True is certain, and False means unknown.
        """
        if not self.refused_at:
            return True
        counts = one.counts if one is other else self._counts.summed(one.counts, other.counts)
        for cluster in (one,) if one is other else (one, other):
            for node in self._refused_in(cluster):
                for item in self.refused_at[node]:
                    left, right = (self.cluster_of[side] for side in item[1])
                    if not self._keeps_refusal(item, counts, right if left in (one, other) else left):
                        return False
        return True

    def sides(self, pair: Pair) -> tuple[Cluster, Cluster]:
        """The clusters of two identifiers, the larger one first. `unite` moves the smaller one's members into it."""
        one, other = self.cluster_of[pair[0]], self.cluster_of[pair[1]]
        return (other, one) if len(one.members) < len(other.members) else (one, other)

    def survivor(self, item: Item) -> ClusterName:
        """The name of the two sides once they are united."""
        time, (left, right), _ = item
        one, other = self.cluster_of[left], self.cluster_of[right]
        older = one if one.since <= other.since else other
        if older.since < time and (one is other or one.since != other.since):
            return ClusterName(older.since, older.anchor)
        firsts = ((one.since, one.anchor), (other.since, other.anchor), (time, left), (time, right))
        since, anchor = min(firsts, key=lambda first: self._key(*first))
        for cluster in (one, other):
            if cluster.anchor == anchor:
                return ClusterName(since, cluster.anchor)  # the stored copy of the identifier
        return ClusterName(since, anchor)

    def unite(self, item: Item, survivor: ClusterName) -> Undo | None:
        """Accept a link. Moves the members of the smaller side to the larger one, and gives it the survivor's name.

        Returns the undo; None if nothing changed.
        """
        kept, absorbed = self.sides(item[1])
        if kept is absorbed and kept.since == survivor.since and kept.anchor == survivor.anchor:
            return None
        name = ClusterName(kept.since, kept.anchor)
        undo = Undo(kept, None if kept is absorbed else absorbed, name, kept.counts)
        if kept is not absorbed:
            for node in absorbed.members:
                self.cluster_of[node] = kept
            absorbed.component = None  # a history may keep the cluster: avoid a reference cycle
            kept.members += absorbed.members
            kept.counts = self._counts.summed(kept.counts, absorbed.counts)
            kept.over_limit += absorbed.over_limit
            self._quarantine(kept, item)
            if self.exceeds(len(kept.members)):
                self.oversized.add(kept)
                self.oversized.discard(absorbed)
        kept.since, kept.anchor = survivor
        return undo

    def _quarantine(self, cluster: Cluster, item: Item) -> None:
        """Quarantine a profile at which limits have refused too many links by now."""
        if cluster.over_limit >= self._quarantine_after:
            self.gates.quarantine(cluster.members, item)

    def stays_open(self, one: Cluster, other: Cluster) -> bool:
        """Whether the union of two clusters is not quarantined, and so was not at any earlier time."""
        return one.over_limit + (0 if one is other else other.over_limit) < self._quarantine_after

    def revert_unite(self, undo: Undo) -> None:
        """Revert the newest `unite` of a cluster. Its gates must be open already."""
        kept, absorbed, name, counts = undo
        kept.counts = counts
        kept.since, kept.anchor = name
        if absorbed is not None:
            kept.over_limit -= absorbed.over_limit
            del kept.members[-len(absorbed.members) :]
            if self.oversized:
                self._note_size(kept)
                self._note_size(absorbed)
            for node in absorbed.members:
                self.cluster_of[node] = absorbed
            absorbed.component = kept.component

    def refuse(self, item: Item, reason: str) -> None:
        """Record a link as refused. An identifier that the refusal shows to be shared is contested from it on."""
        self.refused[item] = reason
        if by_gate(reason):
            return
        for node in item[1]:
            self.refused_at.setdefault(node, []).append(item)
        for node in self.shared(item[1], reason):
            self.gates.contested[node] = item
        if reason.startswith(LIMIT):
            self.gates.count(item)
            for node in item[1]:
                cluster = self.cluster_of[node]
                cluster.over_limit += 1
                self._quarantine(cluster, item)

    def revert_refuse(self, item: Item) -> None:
        """Revert the newest `refuse` of this link's two identifiers."""
        reason = self.refused.pop(item)
        if by_gate(reason):
            return
        for gate in self.gates.since_decision_of(item):
            self.gates.open(gate)
        for node in item[1]:
            decided = self.refused_at[node]
            assert decided[-1] == item
            decided.pop()
            if not decided:
                del self.refused_at[node]
        if reason.startswith(LIMIT):
            self.gates.uncount(item)
            for node in item[1]:
                self.cluster_of[node].over_limit -= 1

    def forget(self, node: Node) -> dict[Gate, Item]:
        """Remove an identifier from its cluster, with the links that a rule refused at it and its gates.

        Returns the gates, each with the link since which it refused.
        """
        self.oversized.discard(self.cluster_of.pop(node, None))
        for item in self.refused_at.pop(node, ()):
            self.refused.pop(item, None)
        return self.gates.forget(node)

    def shared(self, pair: Pair, reason: str) -> list[Node]:
        """The identifiers that a refusal makes contested: those with the weakest priority of the pair.

        An identifier of a unique type never becomes contested.
        """
        if not reason.startswith(UNIQUE):
            return []
        weakest = max(self._rule(type_).priority for type_, _ in pair)
        rules = [(node, self._rule(node[0])) for node in pair]
        return [node for node, rule in rules if rule.priority == weakest and not rule.unique]

    def exceeds(self, members: int) -> bool:
        """Whether a cluster of so many members is oversized."""
        return members > self._component_size

    def _note_size(self, cluster: Cluster) -> None:
        if self.exceeds(len(cluster.members)):
            self.oversized.add(cluster)
        else:
            self.oversized.discard(cluster)

    def name(self, cluster: Cluster) -> str | None:
        """The id of the profile that all members of a cluster share; None if each is a profile of its own."""
        return None if self.exceeds(len(cluster.members)) else cluster.profile_id

    def profile_and_anchor(self, node: Node) -> tuple[str, Node]:
        """The profile of an identifier that has a link, and the identifier that gives the profile its id."""
        cluster = self.cluster_of[node]
        name = self.name(cluster)
        return (own_profile(self.tenant, node), node) if name is None else (name, cluster.anchor)

    def refused_for_size(self, links: Iterable[tuple[Pair, Evidence]]) -> Iterator[Item]:
        """Of some of these links those that are refused since their cluster is oversized.

        Leaves out identifiers without a cluster: a paused decision may have some.
        """
        for pair, evidence in links if self.oversized else ():
            for item in items(pair, evidence):
                if item not in self.refused and self.cluster_of.get(pair[0]) in self.oversized:
                    yield item

    def assignment(self, node: Node) -> Assignment:
        """The profile that owns an identifier: its own profile if it has no link."""
        cluster = self.cluster_of.get(node)
        name = None if cluster is None else self.name(cluster)
        profile_id = own_profile(self.tenant, node) if name is None else name
        since = self.gates.contested.get(node)
        if since is None:
            return Assignment(profile_id, None, None)
        return Assignment(profile_id, since[0], contested_profile(self.tenant, node))

    def _key(self, time: int, node: Node) -> AnchorKey:
        return (time, -self._rule(node[0]).priority, *node)

    def _refused_in(self, cluster: Cluster) -> list[Node]:
        """The members at which a rule refused a link. Iterates over the shorter of the two collections."""
        if len(cluster.members) <= len(self.refused_at):
            return [node for node in cluster.members if node in self.refused_at]
        return [node for node in self.refused_at if self.cluster_of[node] is cluster]

    def _keeps_refusal(self, item: Item, counts: Counts, opposite: Cluster) -> bool:
        kind, _, broken = self.refused[item].partition(":")
        for counted in counts.keys() & opposite.counts.keys():
            type_ = type_of(counted)
            rule = self._rule(type_)
            if rule.unique and not item[2] and (kind == "limit" or type_ < broken):
                return False
            too_many = rule.limit is not None and counts[counted] + opposite.counts[counted] > rule.limit
            if kind == "limit" and too_many and type_ < broken:
                return False
        return True
