"""Suspended links: refused because an identifier is contested.

They are kept aside, because later evidence may show that the identifier is not contested, or only from a later time on.
"""

from collections.abc import Iterator

from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, items


class SuspendedLinks:
    """Evidence of suspended pairs, grouped by the contested identifier."""

    def __init__(self) -> None:
        self._held: dict[Node, dict[Pair, Evidence]] = {}

    def hold(self, node: Node, pair: Pair, evidence: Evidence) -> None:
        """Suspend a pair because `node`, one of its two identifiers, is contested."""
        self._held.setdefault(node, {})[pair] = evidence

    def release(self, pair: Pair) -> Evidence | None:
        """Remove a pair. Returns its evidence; None if the pair was not suspended."""
        for node in pair if self._held else ():
            held = self._held.get(node)
            if held is not None and (evidence := held.pop(pair, None)) is not None:
                if not held:
                    del self._held[node]
                return evidence
        return None

    def evidence(self, pair: Pair) -> Evidence | None:
        """The evidence of a suspended pair; None if the pair is not suspended."""
        for node in pair if self._held else ():
            if (evidence := self._held.get(node, {}).get(pair)) is not None:
                return evidence
        return None

    def pairs_of(self, node: Node) -> Iterator[Pair]:
        """The suspended pairs that contain this identifier, whichever of the two is contested."""
        yield from self._held.get(node, ())
        for shared, held in self._held.items():
            pair = min(node, shared), max(node, shared)
            if shared != node and pair in held:
                yield pair

    def before(self, node: Node, since: Item | None) -> Iterator[tuple[Pair, Evidence]]:
        """The pairs that are suspended because of `node` and whose first link precedes `since`; None: all of them."""
        for pair, evidence in self._held.get(node, {}).items():
            if since is None or items(pair, evidence)[0] < since:
                yield pair, evidence
