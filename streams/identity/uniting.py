"""The one step of resolution: take the next link in order and unite its two sides, or refuse it.

The batch definition (`resolution`) takes this step over all links in order; the incremental form
(`components`) takes the same step for a link that is the newest of its component.
"""

from typing import Final, TypeAlias

from streams.identity.evidence import Item, Node, Pair
from streams.identity.policy import IdentityPolicy
from streams.identity.profile_id import Assignment, contested_profile, own_profile

#: (time of the first accepted link, -priority, type, value): the smallest member of a cluster is its anchor.
AnchorKey: TypeAlias = tuple[int, int, str, str]

#: Reason of a refusal because one of the identifiers is contested.
CONTESTED: Final = "contested"

_NO_LINK_YET: Final = 1 << 62  # after every time


class Cluster:
    """Identifiers that are one person."""

    __slots__ = ("anchor", "counts", "members", "profile_id")

    def __init__(self, member: Node, anchor: AnchorKey, profile_id: str, counts: dict[str, int]) -> None:
        self.members = [member]
        self.anchor = anchor
        self.profile_id = profile_id
        self.counts = counts  #: members per type, of the types that have a rule

    @property
    def anchor_node(self) -> Node:
        """The member that gives the profile its id."""
        return self.anchor[2:]


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
        cluster = Cluster(node, self._key(_NO_LINK_YET, node), own_profile(self.tenant, node), counts)
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

    def survivor(self, item: Item) -> tuple[AnchorKey, str]:
        """Anchor and profile id of the two sides once united."""
        time, (left, right), _ = item
        one, other = self.cluster_of[left], self.cluster_of[right]
        anchor = min(one.anchor, other.anchor, self._key(time, left), self._key(time, right))
        if anchor is one.anchor:
            return anchor, one.profile_id
        if anchor is other.anchor:
            return anchor, other.profile_id
        for cluster in (one, other):
            if cluster.anchor_node == anchor[2:]:
                return anchor, cluster.profile_id
        return anchor, own_profile(self.tenant, anchor[2:])

    def unite(self, item: Item, survivor: tuple[AnchorKey, str]) -> None:
        """Accept a link: its two sides are one person. The smaller side's members move to the larger."""
        _, (left, right), _ = item
        kept, absorbed = self.cluster_of[left], self.cluster_of[right]
        if len(kept.members) < len(absorbed.members):
            kept, absorbed = absorbed, kept
        if kept is not absorbed:
            for node in absorbed.members:
                self.cluster_of[node] = kept
            kept.members += absorbed.members
            for type_, count in absorbed.counts.items():
                kept.counts[type_] = kept.counts.get(type_, 0) + count
        kept.anchor, kept.profile_id = survivor

    def refuse(self, item: Item, reason: str) -> None:
        """Keep a link as refused; what it shows to be shared is contested from its time on."""
        self.refused[item] = reason
        for node in self.shared(item[1], reason):
            self.contested[node] = item

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
