"""Unresolved links: evidence that was restored from the changelog and is not resolved yet.

A worker that restores a million links does not resolve them before it takes new input. It resolves a connected
component when one of the component's identifiers is first asked for.
"""

from collections.abc import Iterable

from streams.identity.resolution.evidence import Evidence, Node, Pair, join, packed, unpacked


class UnresolvedLinks:
    """Restored links, indexed by identifier. Truthy if there are any."""

    def __init__(self) -> None:
        self._links: dict[Pair, Evidence | int] = {}
        self._pairs_at: dict[Node, list[Pair]] = {}
        self._beside_resolved = False

    def __len__(self) -> int:
        return len(self._links)

    def add(self, pair: Pair, evidence: Evidence, *, beside_resolved: bool) -> None:
        """Join evidence into the links, in any order. `beside_resolved`: some links of the tenant are resolved already.

        In that case the next `take` returns all links. A component of unresolved links may be connected to resolved
        ones, and through suspended links to further components, and this index knows of neither.
        """
        self._beside_resolved = self._beside_resolved or beside_resolved
        known = self._links.get(pair)
        if known is None:
            pair = self._interned(pair[0]), self._interned(pair[1])
            for node in pair:
                self._pairs_at.setdefault(node, []).append(pair)
            self._links[pair] = packed(evidence)
        else:
            self._links[pair] = packed(join(unpacked(known), evidence))

    def take(self, nodes: Iterable[Node] | None) -> dict[Pair, Evidence]:
        """Remove and return the links of all components that contain one of these identifiers; None: all links."""
        frontier = list(self._pairs_at) if nodes is None or self._beside_resolved else list(nodes)
        taken: dict[Pair, Evidence] = {}
        while frontier:
            for pair in self._pairs_at.pop(frontier.pop(), ()):
                if pair not in taken:
                    taken[pair] = unpacked(self._links.pop(pair))
                    frontier += pair
        if not self._links:
            self._beside_resolved = False
        return taken

    def _interned(self, node: Node) -> Node:
        """The copy of an identifier that is stored already: each record brings a new, equal one."""
        pairs = self._pairs_at.get(node)
        if pairs is None:
            return node
        left, right = pairs[0]
        return left if left == node else right
