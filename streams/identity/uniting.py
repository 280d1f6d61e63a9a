"""The one step of resolution: take the next link in order and unite its two sides, or refuse it.

The batch definition (`resolution`) takes this step over all links in order; the incremental form
(`components`) takes the same step for a link that is the newest of its component.
"""

from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from streams.identity.evidence import Item, Node, Pair
from streams.identity.policy import IdentityPolicy
from streams.identity.profile_id import Assignment, contested_profile, own_profile

#: (time of the first accepted link, -priority, type, value): the smallest member of a cluster is its anchor.
AnchorKey: TypeAlias = tuple[int, int, str, str]
#: Members per type, of the types that have a rule. Never changed in place: clusters share it.
Counts: TypeAlias = dict[str, int]

#: Reason of a refusal because one of the identifiers is contested.
CONTESTED: Final = "contested"

_NO_LINK_YET: Final = 1 << 62  # after every time
_SHARED_COUNTS: Final = 32  # members up to which counts are shared: most people's are the same few

#: A decision asks several times for the few profiles that it is about.
_profile_of: Final = lru_cache(maxsize=256)(own_profile)


class Cluster:
    """Identifiers that are one person."""

    __slots__ = ("anchor", "component", "counts", "members", "since", "tenant")

    def __init__(self, tenant: str, member: Node, counts: Counts) -> None:
        self.tenant = tenant
        self.members = [member]
        self.anchor = member  #: the member that gives the profile its id
        self.since = _NO_LINK_YET  #: time of its first accepted link
        self.counts = counts
        self.component: Any = None  #: for `components`: the links that it may be influenced by

    @property
    def profile_id(self) -> str:
        """The id of the profile: worked out each time, for it would be a tenth of what a person takes."""
        return _profile_of(self.tenant, self.anchor)


class Naming(NamedTuple):
    """What a cluster is called."""

    since: int
    anchor: Node


class Undo(NamedTuple):
    """What one accepted link changed, to be taken back in reverse order."""

    kept: Cluster
    absorbed: Cluster | None
    naming: Naming
    counts: Counts


class Clusters:
    """A tenant's clusters, what is contested since which link, and which links were refused for which reason.

    A reason is `unique:<type>`, `limit:<type>` or `contested`.
    """

    def __init__(self, tenant: str, policy: IdentityPolicy) -> None:
        self.tenant = tenant
        self._rule = policy.for_tenant(tenant).rule
        self.cluster_of: dict[Node, Cluster] = {}
        self.contested: dict[Node, Item] = {}
        self.refused: dict[Item, str] = {}
        #: the links refused by a rule, in the order in which they were decided, by either identifier
        self.refused_at: dict[Node, list[Item]] = {}
        self._counts: dict[tuple[tuple[str, int], ...], Counts] = {}

    def step(self, item: Item) -> None:
        """Decide the next link. It must come after every link decided so far that could matter to it."""
        for node in item[1]:
            if node not in self.cluster_of:
                self.add(node)
        reason = self.judge(item)
        if reason is None:
            self.unite(item, self.survivor(item))
        else:
            self.refuse(item, reason)

    def add(self, node: Node) -> Cluster:
        """Let an identifier in that has no link yet: a cluster of its own."""
        rule = self._rule(node[0])
        counts = {node[0]: 1} if rule.unique or rule.limit is not None else {}
        cluster = Cluster(self.tenant, node, self._shared(counts))
        self.cluster_of[node] = cluster
        return cluster

    def judge(self, item: Item) -> str | None:
        """Why this link must be refused; None if it may unite its sides."""
        _, (left, right), asserted = item
        if not asserted and self.contested and (left in self.contested or right in self.contested):
            return CONTESTED
        one, other = self.cluster_of[left], self.cluster_of[right]
        if one is other:
            return None
        both_hold = sorted(one.counts.keys() & other.counts.keys())
        if not asserted:
            for type_ in both_hold:
                if self._rule(type_).unique:
                    return f"unique:{type_}"
        for type_ in both_hold:
            limit = self._rule(type_).limit
            if limit is not None and one.counts[type_] + other.counts[type_] > limit:
                return f"limit:{type_}"
        return None

    def obeys_every_rule(self, one: Cluster, other: Cluster) -> bool:
        """Whether the two united hold one value at most of every unique type and respect every limit."""
        if one is other:
            return not any(count > 1 and self._rule(type_).unique for type_, count in one.counts.items())
        for type_, count in (one.counts | other.counts).items():
            rule = self._rule(type_)
            total = count if type_ not in one.counts else one.counts[type_] + other.counts.get(type_, 0)
            if (rule.unique and total > 1) or (rule.limit is not None and total > rule.limit):
                return False
        return True

    def keeps_every_refusal(self, one: Cluster, other: Cluster) -> bool:
        """Whether each link refused at the two stays refused, for the same reason, had they always been one.

        They must obey every rule together. Their sides only gain members then, so a rule that was broken stays
        broken; another one that comes first may be broken besides. Compared are the members they have in the
        end, so False means only that it cannot be told from them.
        """
        if not self.refused_at:
            return True
        counts = one.counts if one is other else self._sum(one.counts, other.counts)
        for cluster in (one,) if one is other else (one, other):
            for node in self._refused_in(cluster):
                for item in self.refused_at[node]:
                    left, right = (self.cluster_of[side] for side in item[1])
                    if not self._keeps_refusal(item, counts, right if left in (one, other) else left):
                        return False
        return True

    def sides(self, pair: Pair) -> tuple[Cluster, Cluster]:
        """The clusters of two identifiers, the larger first: it would absorb the other."""
        one, other = self.cluster_of[pair[0]], self.cluster_of[pair[1]]
        return (other, one) if len(one.members) < len(other.members) else (one, other)

    def survivor(self, item: Item) -> Naming:
        """What the two sides are called once united."""
        time, (left, right), _ = item
        one, other = self.cluster_of[left], self.cluster_of[right]
        older = one if one.since <= other.since else other
        if older.since < time and (one is other or one.since != other.since):
            return Naming(older.since, older.anchor)
        firsts = ((one.since, one.anchor), (other.since, other.anchor), (time, left), (time, right))
        since, anchor = min(firsts, key=lambda first: self._key(*first))
        for cluster in (one, other):
            if cluster.anchor == anchor:
                return Naming(since, cluster.anchor)  # the copy that is kept already
        return Naming(since, anchor)

    def unite(self, item: Item, survivor: Naming) -> Undo | None:
        """Accept a link: its two sides are one person. The smaller side's members move to the larger.

        Returns how to take that back; None if it changed nothing.
        """
        kept, absorbed = self.sides(item[1])
        if kept is absorbed and kept.since == survivor.since and kept.anchor == survivor.anchor:
            return None
        naming = Naming(kept.since, kept.anchor)
        undo = Undo(kept, None if kept is absorbed else absorbed, naming, kept.counts)
        if kept is not absorbed:
            for node in absorbed.members:
                self.cluster_of[node] = kept
            absorbed.component = None  # history may keep it: no circle of references to collect
            kept.members += absorbed.members
            kept.counts = self._sum(kept.counts, absorbed.counts)
        kept.since, kept.anchor = survivor
        return undo

    def part(self, undo: Undo) -> None:
        """Take back the newest `unite` of a cluster."""
        kept, absorbed, naming, counts = undo
        kept.counts = counts
        kept.since, kept.anchor = naming
        if absorbed is not None:
            del kept.members[-len(absorbed.members) :]
            for node in absorbed.members:
                self.cluster_of[node] = absorbed
            absorbed.component = kept.component

    def refuse(self, item: Item, reason: str) -> None:
        """Keep a link as refused; what it shows to be shared is contested from its time on."""
        self.refused[item] = reason
        if reason != CONTESTED:
            for node in item[1]:
                self.refused_at.setdefault(node, []).append(item)
            for node in self.shared(item[1], reason):
                self.contested[node] = item

    def readmit(self, item: Item) -> None:
        """Take back the newest `refuse` of its two identifiers."""
        reason = self.refused.pop(item)
        if reason != CONTESTED:
            for node in item[1]:
                decided = self.refused_at[node]
                assert decided[-1] == item
                decided.pop()
                if not decided:
                    del self.refused_at[node]
            for node in self.shared(item[1], reason):
                del self.contested[node]

    def forget(self, node: Node) -> None:
        """Let go of an identifier, of its cluster and of the links that a rule refused at it."""
        self.cluster_of.pop(node, None)
        for item in self.refused_at.pop(node, ()):
            self.refused.pop(item, None)

    def shared(self, pair: Pair, reason: str) -> list[Node]:
        """The identifiers that a refusal makes contested: the weaker, never one of a unique type."""
        if not reason.startswith("unique:"):
            return []
        weakest = max(self._rule(type_).priority for type_, _ in pair)
        rules = [(node, self._rule(node[0])) for node in pair]
        return [node for node, rule in rules if rule.priority == weakest and not rule.unique]

    def assignment(self, node: Node) -> Assignment:
        """Whose an identifier is; its own if it has no link."""
        cluster = self.cluster_of.get(node)
        profile_id = own_profile(self.tenant, node) if cluster is None else cluster.profile_id
        since = self.contested.get(node)
        if since is None:
            return Assignment(profile_id, None, None)
        return Assignment(profile_id, since[0], contested_profile(self.tenant, node))

    def _key(self, time: int, node: Node) -> AnchorKey:
        return (time, -self._rule(node[0]).priority, *node)

    def _refused_in(self, cluster: Cluster) -> list[Node]:
        """The members that a refused link names; found from the shorter of two lists."""
        if len(cluster.members) <= len(self.refused_at):
            return [node for node in cluster.members if node in self.refused_at]
        return [node for node in self.refused_at if self.cluster_of[node] is cluster]

    def _keeps_refusal(self, item: Item, counts: Counts, opposite: Cluster) -> bool:
        kind, _, broken = self.refused[item].partition(":")
        for type_ in counts.keys() & opposite.counts.keys():
            rule = self._rule(type_)
            if rule.unique and not item[2] and (kind == "limit" or type_ < broken):
                return False
            too_many = rule.limit is not None and counts[type_] + opposite.counts[type_] > rule.limit
            if kind == "limit" and too_many and type_ < broken:
                return False
        return True

    def _sum(self, one: Counts, other: Counts) -> Counts:
        if not one or not other:
            return one or other
        total = dict(one)
        for type_, count in other.items():
            total[type_] = total.get(type_, 0) + count
        return self._shared(total)

    def _shared(self, counts: Counts) -> Counts:
        if sum(counts.values()) > _SHARED_COUNTS:
            return counts
        return self._counts.setdefault(tuple(sorted(counts.items())), counts)
