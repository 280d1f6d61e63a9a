"""Evidence that was read from the changelog and not resolved yet.

A worker that starts with a million links does not resolve them before it goes on: a component is taken out when
somebody first asks for one of its identifiers.
"""

from collections.abc import Iterable

from streams.identity.evidence import Evidence, Node, Pair, join, packed, unpacked


class Restored:
    """Links that nobody asked for yet. True if there are any."""

    def __init__(self) -> None:
        self._links: dict[Pair, Evidence | int] = {}
        self._pairs_at: dict[Node, list[Pair]] = {}
        self._beside_resolved = False

    def __bool__(self) -> bool:
        return bool(self._links)

    def add(self, pair: Pair, evidence: Evidence, *, beside_resolved: bool) -> None:
        """Keep a link, in any order; `beside_resolved`: others were resolved already.

        Then taking out by components would not do: it may meet resolved links, and through suspended ones others.
        """
        self._beside_resolved = self._beside_resolved or beside_resolved
        known = self._links.get(pair)
        if known is None:
            pair = self._own_copy(pair[0]), self._own_copy(pair[1])
            for node in pair:
                self._pairs_at.setdefault(node, []).append(pair)
            self._links[pair] = packed(evidence)
        else:
            self._links[pair] = packed(join(unpacked(known), evidence))

    def take(self, nodes: Iterable[Node] | None) -> dict[Pair, Evidence]:
        """Take out all links that are connected with these identifiers; None: all there are."""
        todo = list(self._pairs_at) if nodes is None or self._beside_resolved else list(nodes)
        taken: dict[Pair, Evidence] = {}
        while todo:
            for pair in self._pairs_at.pop(todo.pop(), ()):
                if pair not in taken:
                    taken[pair] = unpacked(self._links.pop(pair))
                    todo += pair
        if not self._links:
            self._beside_resolved = False
        return taken

    def _own_copy(self, node: Node) -> Node:
        """An equal identifier that is kept already: records bring a new copy each time."""
        pairs = self._pairs_at.get(node)
        if pairs is None:
            return node
        left, right = pairs[0]
        return left if left == node else right
