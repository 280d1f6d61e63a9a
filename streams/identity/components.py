"""Resolution, one piece of evidence at a time: always equal to the definition over all evidence so far.

What a link does depends only on earlier links of its component: the identifiers connected by links, refused
ones too. So three cases are cheap, and only the fourth decides a component anew:

1. a link with a contested identifier is refused, and that moves nothing;
2. where every rule holds even for the whole, none could break on the way, so order cannot matter;
3. a link newer than all others of its component is just the next step;
4. anything else: take the component down and repeat its links in order.

Links refused because of a contested identifier connect no components: ten thousand callers who share the call
centre's number stay ten thousand components. They are suspended, and join in again if the identifier is found
to be contested only later.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from streams.identity.decisions import Decision, Journal
from streams.identity.evidence import Evidence, Item, Node, Pair, evidence_of, items, join
from streams.identity.policy import IdentityPolicy
from streams.identity.profile_id import Assignment
from streams.identity.uniting import CONTESTED, Clusters

__all__ = ["Decision", "TenantIdentities"]

_BEFORE_ALL: Final[Item] = (-(1 << 62), (("", ""), ("", "")), False)


class _Component:
    """Identifiers connected by links that may influence one another."""

    __slots__ = ("clusters", "links", "newest")

    def __init__(self) -> None:
        self.links: dict[Pair, Evidence] = {}
        self.newest = _BEFORE_ALL
        self.clusters = 1  #: how many; 1: no link inside was refused


class TenantIdentities:
    """The identities of one tenant: evidence in, decisions out, whose an identifier is at any time."""

    def __init__(self, tenant: str, policy: IdentityPolicy) -> None:
        self.tenant = tenant
        self._clusters = Clusters(tenant, policy)
        self._component_of: dict[Node, _Component] = {}
        self._suspended: dict[Node, dict[Pair, Evidence]] = {}  # by the contested identifier
        self._restored: dict[Pair, Evidence] = {}

    def restore(self, pair: Pair, evidence: Evidence) -> None:
        """Take evidence from the changelog, in any order; it is resolved when somebody first asks."""
        self._restored[pair] = join(self._restored.get(pair), evidence)

    def observe(self, pair: Pair, occurred_at: int, asserted: bool) -> Decision | None:
        """Take in that an event at this time (UTC ms) links a pair.

        Returns None if that is known already. An empty decision is still new evidence, which must be kept.
        """
        known = self.evidence(pair)
        evidence = join(known, evidence_of(occurred_at, asserted=asserted))
        if evidence == known:
            return None
        journal = Journal()
        self._take_in(pair, known, evidence, journal)
        return journal.decision(self._clusters, "asserted" if asserted else "link", "order")

    def withdraw(self, pairs: Iterable[Pair], rule: str) -> Decision:
        """Forget the evidence of pairs, as if never seen. `rule` names the reason in the decision."""
        return self.replace(dict.fromkeys(pairs), rule)

    def replace(self, evidence: Mapping[Pair, Evidence | None], rule: str) -> Decision:
        """Know other evidence of these pairs than was seen; None: none. `rule` names the reason in the decision."""
        self._settle()
        links = {pair: left for pair, left in evidence.items() if left is not None}
        gone = [pair for pair, left in evidence.items() if left is None]
        withdrawn = {pair for pair in gone if self._unsuspend(pair) is None and self._known(pair) is not None}
        journal = Journal()
        self._resolve(links, {node for pair in (*withdrawn, *links) for node in pair}, journal, withdrawn)
        return journal.decision(self._clusters, rule, rule)

    def pairs_of(self, node: Node) -> list[Pair]:
        """The pairs with this identifier of which anything is known, sorted."""
        self._settle()
        component = self._component_of.get(node)
        held = (*self._suspended.values(), component.links if component is not None else {})
        return sorted({pair for links in held for pair in links if node in pair})

    def evidence(self, pair: Pair) -> Evidence | None:
        """What is known of a pair."""
        self._settle()
        return self._known(pair)

    def assignment(self, node: Node) -> Assignment:
        """Whose an identifier is; its own if it has no link."""
        self._settle()
        return self._clusters.assignment(node)

    def members(self, node: Node) -> list[Node]:
        """All identifiers of the profile that holds this one, sorted."""
        self._settle()
        cluster = self._clusters.cluster_of.get(node)
        return [node] if cluster is None else sorted(cluster.members)

    def refused(self) -> dict[Item, str]:
        """The refused links and why: `unique:<type>`, `limit:<type>` or `contested`."""
        self._settle()
        return dict(self._clusters.refused)

    def _take_in(self, pair: Pair, known: Evidence | None, evidence: Evidence, journal: Journal) -> None:
        before, now = items(pair, known), items(pair, evidence)
        if before == now:
            self._component_of[pair[0]].links[pair] = evidence
            return
        self._admit(pair, journal)
        item = next(item for item in now if item not in before)
        only_added = len(now) > len(before)
        if evidence.asserted is None and self._contested_before(item) is not None:
            self._unsuspend(pair)
            self._suspend(item, evidence)
        elif self._order_is_free(pair) or (
            only_added and self._is_newest(item) and not self._is_suspended(pair)
        ):
            self._append(item, evidence, journal)
        else:
            self._resolve({pair: evidence}, set(pair), journal)

    def _admit(self, pair: Pair, journal: Journal | None) -> None:
        for node in pair:
            if node not in self._clusters.cluster_of:
                newcomer = self._clusters.add(node)
                if journal is not None:
                    journal.newcomer(newcomer)

    def _order_is_free(self, pair: Pair) -> bool:
        for node in pair:
            component = self._component_of.get(node)
            if component is not None and component.clusters > 1:
                return False
        clusters = self._clusters.cluster_of
        return self._clusters.obeys_every_rule(clusters[pair[0]], clusters[pair[1]])

    def _is_newest(self, item: Item) -> bool:
        components = (self._component_of.get(node) for node in item[1])
        return all(component is None or item > component.newest for component in components)

    def _append(self, item: Item, evidence: Evidence, journal: Journal | None) -> None:
        """Take the next step of a component."""
        clusters, pair = self._clusters, item[1]
        component = self._connect(pair)
        component.links[pair] = evidence
        component.newest = max(component.newest, item)
        reason = clusters.judge(item)
        if reason is None:
            sides = {clusters.cluster_of[pair[0]], clusters.cluster_of[pair[1]]}
            survivor = clusters.survivor(item)
            if journal is not None:
                for side in sides:
                    if side.profile_id != survivor[1]:
                        journal.cluster(clusters, side)
            component.clusters -= len(sides) - 1
            clusters.unite(item, survivor)
        else:
            if journal is not None:
                for node in clusters.shared(pair, reason):
                    journal.identifier(clusters, node)
            clusters.refuse(item, reason)

    def _connect(self, pair: Pair) -> _Component:
        """The component of both sides, made one: the smaller joins the larger."""
        large, small = (self._component_of.get(node) or _Component() for node in pair)
        if large is not small:
            if len(large.links) < len(small.links):
                large, small = small, large
            for linked in small.links:
                for node in linked:
                    self._component_of[node] = large
            for node in pair:
                self._component_of[node] = large
            large.links.update(small.links)
            large.newest = max(large.newest, small.newest)
            large.clusters += small.clusters
        return large

    def _resolve(
        self,
        links: dict[Pair, Evidence],
        nodes: set[Node],
        journal: Journal | None,
        without: Iterable[Pair] = (),
    ) -> None:
        """Decide anew the components of `nodes`, taking `links` in with their new evidence.

        If an identifier turns out to be contested later than thought, or not at all, the links that were
        suspended because of it take part, with their components. The region only grows, so this ends.
        """
        links = dict(links)
        while True:
            contested = self._take_down(links, nodes, journal)
            for pair in without:
                links.pop(pair, None)
            for item in sorted(item for pair, evidence in links.items() for item in items(pair, evidence)):
                evidence = links[item[1]]
                self._admit(item[1], None)
                if evidence.asserted is None and self._contested_before(item) is not None:
                    self._suspend(item, evidence)
                else:
                    self._append(item, evidence, None)
            woken = self._woken(contested)
            if not woken:
                return
            links |= woken
            nodes.update(node for pair in woken for node in pair)

    def _take_down(
        self, links: dict[Pair, Evidence], nodes: set[Node], journal: Journal | None
    ) -> dict[Node, Item]:
        """Forget what was decided in the components of `nodes`; add all their links and identifiers to both.

        Returns what was contested there, since which link.
        """
        clusters = self._clusters
        for pair in links:
            self._unsuspend(pair)
        for component in {self._component_of[node] for node in nodes if node in self._component_of}:
            for pair, evidence in component.links.items():
                links.setdefault(pair, evidence)
                nodes.update(pair)
                for item in items(pair, evidence):
                    clusters.refused.pop(item, None)
        if journal is not None:
            for node in nodes:
                cluster = clusters.cluster_of.get(node)
                if cluster is not None:
                    journal.cluster(clusters, cluster)
        contested = {node: clusters.contested.pop(node) for node in nodes if node in clusters.contested}
        for node in nodes:
            clusters.cluster_of.pop(node, None)
            self._component_of.pop(node, None)
        return contested

    def _contested_before(self, item: Item) -> Node | None:
        """The side of a link that was contested already when it happened."""
        contested = self._clusters.contested
        if contested:
            for node in item[1]:
                since = contested.get(node)
                if since is not None and since < item:
                    return node
        return None

    def _suspend(self, item: Item, evidence: Evidence) -> None:
        node = self._contested_before(item)
        assert node is not None
        self._suspended.setdefault(node, {})[item[1]] = evidence
        self._clusters.refuse(item, CONTESTED)

    def _unsuspend(self, pair: Pair) -> Evidence | None:
        for node in pair:
            held = self._suspended.get(node)
            if held is not None and (evidence := held.pop(pair, None)) is not None:
                if not held:
                    del self._suspended[node]
                for item in items(pair, evidence):
                    self._clusters.refused.pop(item, None)
                return evidence
        return None

    def _is_suspended(self, pair: Pair) -> bool:
        return any(pair in self._suspended.get(node, ()) for node in pair)

    def _woken(self, contested: dict[Node, Item]) -> dict[Pair, Evidence]:
        """The suspended links that happened before their identifier is contested as it now turns out."""
        woken: dict[Pair, Evidence] = {}
        for node, was in contested.items():
            since = self._clusters.contested.get(node)
            if since is not None and since <= was:
                continue
            for pair, evidence in self._suspended.get(node, {}).items():
                if since is None or items(pair, evidence)[0] < since:
                    woken[pair] = evidence
        return woken

    def _known(self, pair: Pair) -> Evidence | None:
        component = self._component_of.get(pair[0])
        if component is not None and (evidence := component.links.get(pair)) is not None:
            return evidence
        for node in pair if self._suspended else ():
            if (evidence := self._suspended.get(node, {}).get(pair)) is not None:
                return evidence
        return None

    def _settle(self) -> None:
        """Resolve what was restored and not looked at since."""
        if self._restored:
            links = {pair: join(self._known(pair), evidence) for pair, evidence in self._restored.items()}
            self._restored = {}
            self._resolve(links, {node for pair in links for node in pair}, None)
