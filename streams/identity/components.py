"""Resolution, one piece of evidence at a time: always equal to the definition over all evidence so far.

What a link does depends only on earlier links of its component: the identifiers connected by links, refused
ones too. So three cases are cheap, and only the fourth decides links anew:

1. a link with a contested identifier is refused, and that moves nothing;
2. a link newer than all others of its component is just the next step;
3. where both sides together obey every rule in the end, they did so all along, and order cannot matter to them;
   nor to others, if every link refused at the two sides would have been refused for the same reason;
4. anything else: take back what was decided since, and decide it again (`history`).

Links refused because of a contested identifier connect no components: ten thousand callers who share the call
centre's number stay ten thousand components. They are suspended, and join in again if the identifier is found
to be contested only later.

Case 4 may take a while in a large component, so it is written as generators that can rest between two links
(`deciding`). Nothing may be asked in such a pause: the tenant's identities are half decided.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from streams.identity.deciding import Deciding
from streams.identity.decisions import Decision, Journal
from streams.identity.evidence import Evidence, Item, Node, Pair, evidence_of, items, join
from streams.identity.policy import IdentityPolicy
from streams.identity.profile_id import Assignment
from streams.identity.restoring import Restored
from streams.identity.uniting import CONTESTED, Clusters
from streams.identity.work import Work, finished

__all__ = ["Decision", "TenantIdentities"]

_LOOKED_AT: Final = 32  # members among which an identifier's own copy is looked for


class TenantIdentities:
    """The identities of one tenant: evidence in, decisions out, whose an identifier is at any time."""

    def __init__(self, tenant: str, policy: IdentityPolicy) -> None:
        self.tenant = tenant
        self._clusters = Clusters(tenant, policy)
        self._deciding = Deciding(self._clusters)
        self._restored = Restored()

    def restore(self, pair: Pair, evidence: Evidence) -> None:
        """Take evidence from the changelog, in any order; a component is resolved when somebody first asks."""
        known = self._known(pair)
        if join(known, evidence) != known:
            self._restored.add(pair, evidence, beside_resolved=bool(self._clusters.cluster_of))

    def observe(self, pair: Pair, occurred_at: int, asserted: bool) -> Decision | None:
        """Take in that an event at this time (UTC ms) links a pair.

        Returns None if that is known already. An empty decision is still new evidence, which must be kept.
        """
        return finished(self.deciding(pair, occurred_at, asserted))

    def deciding(self, pair: Pair, occurred_at: int, asserted: bool) -> Work[Decision | None]:
        """`observe` as work that can rest."""
        yield from self._settling(pair)
        pair = self._own_copy(pair[0]), self._own_copy(pair[1])
        known = self._known(pair)
        evidence = join(known, evidence_of(occurred_at, asserted=asserted))
        if evidence == known:
            return None
        journal = Journal()
        yield from self._taking_in(pair, known, evidence, journal)
        return (yield from journal.decision(self._clusters, "asserted" if asserted else "link", "order"))

    def withdraw(self, pairs: Iterable[Pair], rule: str) -> Decision:
        """Forget the evidence of pairs, as if never seen. `rule` names the reason in the decision."""
        return self.replace(dict.fromkeys(pairs), rule)

    def replace(self, evidence: Mapping[Pair, Evidence | None], rule: str) -> Decision:
        """Know other evidence of these pairs than was seen; None: none. `rule` names the reason in the decision."""
        return finished(self.replacing(evidence, rule))

    def replacing(self, evidence: Mapping[Pair, Evidence | None], rule: str) -> Work[Decision]:
        """`replace` as work that can rest."""
        yield from self._settling(node for pair in evidence for node in pair)
        links = {pair: left for pair, left in evidence.items() if left is not None}
        gone = [pair for pair, left in evidence.items() if left is None]
        withdrawn = {
            pair for pair in gone if not self._deciding.release(pair) and self._known(pair) is not None
        }
        journal = Journal()
        yield from self._deciding.resolving(
            links, {node for pair in (*withdrawn, *links) for node in pair}, journal, withdrawn
        )
        return (yield from journal.decision(self._clusters, rule, rule))

    def evidence(self, pair: Pair) -> Evidence | None:
        """What is known of a pair."""
        finished(self._settling(pair))
        return self._known(pair)

    def pairs_of(self, node: Node) -> list[Pair]:
        """The pairs with this identifier of which anything is known, sorted."""
        finished(self._settling((node,)))
        component = self._deciding.component(node)
        found = {pair for pair, _ in component.links() if node in pair} if component is not None else set()
        return sorted({*found, *self._deciding.suspended.pairs_of(node)})

    def assignment(self, node: Node) -> Assignment:
        """Whose an identifier is; its own if it has no link."""
        finished(self._settling((node,)))
        return self._clusters.assignment(node)

    def members(self, node: Node) -> list[Node]:
        """All identifiers of the profile that holds this one, sorted."""
        finished(self._settling((node,)))
        cluster = self._clusters.cluster_of.get(node)
        return [node] if cluster is None else sorted(cluster.members)

    def refused(self) -> dict[Item, str]:
        """The refused links and why: `unique:<type>`, `limit:<type>` or `contested`."""
        finished(self._settling(None))
        return dict(self._clusters.refused)

    def _taking_in(
        self, pair: Pair, known: Evidence | None, evidence: Evidence, journal: Journal
    ) -> Work[None]:
        before, now = items(pair, known), items(pair, evidence)
        if before == now:
            self._deciding.connect(pair).keep(pair, evidence)
            return
        self._deciding.admit(pair, journal)
        new = [item for item in now if item not in before]
        gone = [item for item in before if item not in now]
        suspended = self._deciding.release(pair)
        if evidence.asserted is None and self._deciding.contested_before(new[0]) is not None:
            self._deciding.suspend(new[0], evidence)
        elif not suspended and not gone and self._deciding.is_newest(new[0]):
            self._deciding.append(new[0], evidence, journal)
        elif not suspended and self._deciding.is_free(new[0], gone):
            self._deciding.accept(new[0], evidence, journal)
        else:
            for item in gone:
                if self._clusters.refused.get(item) == CONTESTED:
                    del self._clusters.refused[item]
            self._deciding.connect(pair).keep(pair, evidence)
            links = now if suspended else new
            yield from self._deciding.repeating(links, min((*links, *gone)), journal)

    def _known(self, pair: Pair) -> Evidence | None:
        component = self._deciding.component(pair[0])
        if component is not None and (known := component.evidence(pair)) is not None:
            return known
        return self._deciding.suspended.evidence(pair)

    def _own_copy(self, node: Node) -> Node:
        """An equal identifier that is kept already: events bring a new copy each time."""
        cluster = self._clusters.cluster_of.get(node)
        if cluster is None:
            return sys.intern(node[0]), node[1]
        try:
            return cluster.members[cluster.members.index(node, 0, _LOOKED_AT)]
        except ValueError:
            return node

    def _settling(self, nodes: Iterable[Node] | None) -> Work[None]:
        """Resolve what was restored and is connected with these identifiers (None: all) and not resolved yet."""
        if self._restored:
            restored = self._restored.take(nodes)
            links = {pair: join(self._known(pair), evidence) for pair, evidence in restored.items()}
            yield from self._deciding.resolving(links, {node for pair in links for node in pair}, None)
