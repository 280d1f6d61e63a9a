"""Incremental resolution: one piece of evidence at a time, always equal to `resolve` over all evidence so far.

A link's decision depends only on earlier links of its component: the identifiers connected by links, including refused
ones. So three cases are cheap, and only the fourth decides links again:

1. A link that a gate refuses (`gates`) changes nothing else.
2. A link that is newer than all others of its component is simply the next step.
3. An order-free link. If both sides together obey every rule, they did so at any earlier time, so the order of the
   links that united them does not matter. Nor does it matter to other links, if every link refused at the two sides
   would have been refused for the same reason.
4. Any other link: revert the newer decisions of the component, and decide those links again (`history`).

Such a link connects no components: ten thousand callers who share the number of a call centre stay ten thousand
components. It is suspended. It is decided again if later evidence shows that its gate refuses only from a later time
on.

Case 4 may take long in a large component, so it is a resumable computation (`work`) that yields between two links.
While it is paused, its region (`regions`) is half decided and must not be read. Links of other regions may be decided
meanwhile.
"""

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from streams.identity.policy.decision_rules import Rules
from streams.identity.resolution.clusters import COMPONENT_SIZE, Clusters
from streams.identity.resolution.deciding import ComponentResolver
from streams.identity.resolution.decisions import BeforeImages, Decision
from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, evidence_of, items, join
from streams.identity.resolution.gates import by_gate
from streams.identity.resolution.profile_id import Assignment
from streams.identity.resolution.regions import Region
from streams.identity.resolution.resumable import Resumable, run_to_end
from streams.identity.resolution.review import Review, Reviews, compared
from streams.identity.resolution.unresolved_links import UnresolvedLinks

__all__ = ["Decision", "TenantIdentities"]

#: Restored links of one component that are resolved without a pause.
_RESTORED_AT_ONCE: Final = 1000
#: The rule of changes that a change of policy made.
POLICY: Final = "policy"
_INTERN_SEARCH_LIMIT: Final = 32  # members of a cluster among which `_interned` searches


class TenantIdentities:
    """The identities of one tenant: takes evidence, returns decisions, and answers which profile owns an identifier."""

    def __init__(self, tenant: str, policy: Rules) -> None:
        self.tenant = tenant
        self._former: tuple[Rules, ...] = ()
        self._reviews = Reviews()
        self._clusters = Clusters(tenant, policy)
        self._resolver = ComponentResolver(self._clusters)
        self._unresolved = UnresolvedLinks()

    def decided_under(self, former: Iterable[Rules]) -> None:
        """Say under which other rules links were decided that are not resolved yet, the newest rules last."""
        self._former = tuple(former)

    def restore(self, pair: Pair, evidence: Evidence) -> None:
        """Add evidence from the changelog, in any order. Its component is resolved when it is first asked for."""
        known = self._known(pair)
        if join(known, evidence) != known:
            self._unresolved.add(pair, evidence, beside_resolved=bool(self._clusters.cluster_of))

    def observe(self, pair: Pair, occurred_at: int, asserted: bool) -> Decision | None:
        """Add the evidence that an event at this time (UTC ms) links a pair.

        Returns None if the evidence adds nothing and no change of policy is to be published. An empty decision is new
        evidence too, and must be stored.
        """
        return run_to_end(self.observe_resumably(pair, occurred_at, asserted))

    def observe_resumably(self, pair: Pair, occurred_at: int, asserted: bool) -> Resumable[Decision | None]:
        """`observe` as a resumable computation."""
        yield from self._resolve_restored(pair)
        pair = self._interned(pair[0]), self._interned(pair[1])
        known = self._known(pair)
        evidence = join(known, evidence_of(occurred_at, asserted=asserted))
        review = self._reviews.take(pair)
        if evidence == known:
            if review is None:
                return None
            return dataclasses.replace((yield from self._published(review)), is_evidence_new=False)
        before_images = BeforeImages()
        if review is not None:
            before_images.reviewed(review)
        yield from self._apply_evidence(pair, known, evidence, before_images)
        merge_rule, split_rule = "asserted" if asserted else "link", "order"
        if review is not None:
            merge_rule = split_rule = POLICY
        return (yield from before_images.decision(self._clusters, merge_rule, split_rule))

    def review_resumably(self, nodes: Iterable[Node]) -> Resumable[Decision]:
        """What a change of policy changed about restored identifiers, to be published now; empty if nothing did."""
        nodes = tuple(nodes)
        yield from self._resolve_restored(nodes)
        review = self._reviews.take(nodes)
        return Decision() if review is None else (yield from self._published(review))

    def _published(self, review: Review) -> Resumable[Decision]:
        before_images = BeforeImages()
        before_images.reviewed(review)
        return (yield from before_images.decision(self._clusters, POLICY, POLICY))

    def withdraw(self, pairs: Iterable[Pair], rule: str) -> Decision:
        """Remove the evidence of pairs, as if it had never been seen. `rule` becomes the decision's rule."""
        return self.replace(dict.fromkeys(pairs), rule)

    def replace(self, evidence: Mapping[Pair, Evidence | None], rule: str) -> Decision:
        """Replace the evidence of pairs; None removes it. `rule` becomes the decision's rule."""
        return run_to_end(self.replace_resumably(evidence, rule))

    def replace_resumably(self, evidence: Mapping[Pair, Evidence | None], rule: str) -> Resumable[Decision]:
        """`replace` as a resumable computation."""
        yield from self._resolve_restored(node for pair in evidence for node in pair)
        links = {pair: left for pair, left in evidence.items() if left is not None}
        gone = [pair for pair, left in evidence.items() if left is None]
        withdrawn = {
            pair for pair in gone if not self._resolver.release(pair) and self._known(pair) is not None
        }
        before_images = BeforeImages()
        review = self._reviews.take(node for pair in evidence for node in pair)
        if review is not None:
            before_images.reviewed(review)
        yield from self._resolver.resolve_anew(
            links, {node for pair in (*withdrawn, *links) for node in pair}, before_images, withdrawn
        )
        return (yield from before_images.decision(self._clusters, rule, rule))

    def region(self, nodes: Iterable[Node]) -> Region:
        """The region of these identifiers, which is one from now on. What was restored of them must be resolved."""
        return self._resolver.region(nodes)

    def resolve_restored(self, nodes: Iterable[Node]) -> Resumable[None]:
        """Resolve what was restored of these identifiers, as asking for them does."""
        yield from self._resolve_restored(nodes)

    @property
    def refusals(self) -> Counter[str]:
        """The number of refused links by reason, as far as they are resolved.

        Reasons: `unique`, `limit`, `gate`, and COMPONENT_SIZE, whose links are counted one by one.
        """
        counts = self._clusters.refused.counts.copy()
        if too_many := sum(1 for _ in self._refused_for_size()):
            counts[COMPONENT_SIZE] = too_many
        return counts

    @property
    def sizes(self) -> dict[str, int]:
        """What is held of this tenant, by kind."""
        gates = self._clusters.gates
        return {
            "identifiers": len(self._clusters.cluster_of),
            "contested": len(gates.contested),
            "quarantined": len(gates.quarantined),
            "oversized": self.oversized,
            "unresolved_links": len(self._unresolved),
        }

    @property
    def quarantined(self) -> int:
        """The number of identifiers whose profiles are quarantined, as far as they are resolved."""
        return len(self._clusters.gates.quarantined)

    @property
    def oversized_components(self) -> int:
        """The number of components that are too large, as far as they are resolved."""
        return len(self._clusters.oversized)

    @property
    def oversized(self) -> int:
        """The number of identifiers in components that are too large, as far as they are resolved."""
        return sum(len(cluster.members) for cluster in self._clusters.oversized)

    def evidence(self, pair: Pair) -> Evidence | None:
        """The evidence of a pair; None if there is none."""
        run_to_end(self._resolve_restored(pair))
        return self._known(pair)

    def pairs_of(self, node: Node) -> list[Pair]:
        """The pairs with evidence that contain this identifier, sorted."""
        run_to_end(self._resolve_restored((node,)))
        component = self._resolver.component(node)
        found = {pair for pair, _ in component.links() if node in pair} if component is not None else set()
        return sorted({*found, *self._resolver.suspended.pairs_of(node)})

    def assignment(self, node: Node) -> Assignment:
        """The profile that owns an identifier: its own profile if it has no link."""
        run_to_end(self._resolve_restored((node,)))
        return self._clusters.assignment(node)

    def members(self, node: Node) -> list[Node]:
        """All identifiers of the profile that owns this one, sorted."""
        run_to_end(self._resolve_restored((node,)))
        cluster = self._clusters.cluster_of.get(node)
        return [node] if cluster is None or cluster in self._clusters.oversized else sorted(cluster.members)

    def refused(self) -> dict[Item, str]:
        """The refused links and their reasons, as `Clusters` lists them."""
        run_to_end(self._resolve_restored(None))
        gates = self._clusters.gates
        # Of two gates the first in their order is the reason, and it may have come after the link was suspended.
        refused = {
            item: gate.reason if by_gate(reason) and (gate := gates.of(item)) is not None else reason
            for item, reason in self._clusters.refused.items()
        }
        refused.update(dict.fromkeys(self._refused_for_size(), COMPONENT_SIZE))
        return refused

    def _refused_for_size(self) -> Iterator[Item]:
        for component in {cluster.component for cluster in self._clusters.oversized}:
            yield from self._clusters.refused_for_size(component.links())

    def _apply_evidence(
        self, pair: Pair, known: Evidence | None, evidence: Evidence, before_images: BeforeImages
    ) -> Resumable[None]:
        before, now = items(pair, known), items(pair, evidence)
        if before == now:
            self._resolver.connect(pair).put(pair, evidence)
            return
        self._resolver.add_missing(pair, before_images)
        new = [item for item in now if item not in before]
        gone = [item for item in before if item not in now]
        suspended = self._resolver.release(pair)
        if evidence.asserted is None and self._clusters.gates.of(new[0]) is not None:
            self._resolver.suspend(new[0], evidence)
        elif not suspended and not gone and self._resolver.is_newest(new[0]):
            self._resolver.append(new[0], evidence, before_images)
        elif not suspended and self._resolver.is_order_free(new[0], gone):
            self._resolver.accept(new[0], evidence, before_images)
        else:
            for item in gone:
                if by_gate(self._clusters.refused.get(item)):
                    del self._clusters.refused[item]
            self._resolver.connect(pair).put(pair, evidence)
            links = now if suspended else new
            yield from self._resolver.redecide_since(links, min((*links, *gone)), before_images)

    def _known(self, pair: Pair) -> Evidence | None:
        component = self._resolver.component(pair[0])
        if component is not None and (known := component.evidence(pair)) is not None:
            return known
        return self._resolver.suspended.evidence(pair)

    def _interned(self, node: Node) -> Node:
        """The stored copy of an identifier, or the identifier itself: each event brings a new, equal copy."""
        cluster = self._clusters.cluster_of.get(node)
        if cluster is None:
            return sys.intern(node[0]), node[1]
        try:
            return cluster.members[cluster.members.index(node, 0, _INTERN_SEARCH_LIMIT)]
        except ValueError:
            return node

    def _resolve_restored(self, nodes: Iterable[Node] | None) -> Resumable[None]:
        """Resolve the unresolved links that are connected with these identifiers; None: all of them."""
        if self._unresolved:
            restored = self._unresolved.take(nodes)
            links = {pair: join(self._known(pair), evidence) for pair, evidence in restored.items()}
            nodes = {node for pair in links for node in pair}
            work = self._resolve_and_review(links, nodes)
            if len(links) <= _RESTORED_AT_ONCE:
                run_to_end(work)
                return
            self.region(nodes)  # of all: while this is paused, none of them has a component
            yield from work

    def _resolve_and_review(self, links: dict[Pair, Evidence], nodes: set[Node]) -> Resumable[None]:
        named = list(nodes) if self._former else []
        yield from self._resolver.resolve_anew(links, nodes, None)
        if not named:
            return
        former: list[dict[Node, Assignment]] = []
        anchors: dict[str, Node] = {}
        for rules in self._former:
            scratch = TenantIdentities(self.tenant, rules)
            for pair, evidence in links.items():
                scratch.restore(pair, evidence)
            yield from scratch.resolve_restored(named)
            former.append({node: scratch.assignment(node) for node in named})
            anchors = dict(scratch.profile_and_anchor(node) for node in named)
        review = compared(former, anchors, {node: self._clusters.assignment(node) for node in named})
        if review is not None:
            self._reviews.add(review)

    def profile_and_anchor(self, node: Node) -> tuple[str, Node]:
        """The profile of a resolved identifier, and the identifier that gives the profile its id."""
        return self._clusters.profile_and_anchor(node)
