"""Links that are refused because of a contested identifier: they wait in case it turns out not to be, or only later."""

from collections.abc import Iterator

from streams.identity.evidence import Evidence, Item, Node, Pair, items


class Suspended:
    """Evidence of pairs, by the contested identifier that keeps them from linking."""

    def __init__(self) -> None:
        self._held: dict[Node, dict[Pair, Evidence]] = {}

    def hold(self, node: Node, pair: Pair, evidence: Evidence) -> None:
        """Suspend a pair because of one of its identifiers."""
        self._held.setdefault(node, {})[pair] = evidence

    def release(self, pair: Pair) -> Evidence | None:
        """Let a pair go; return its evidence, None if it was not suspended."""
        for node in pair if self._held else ():
            held = self._held.get(node)
            if held is not None and (evidence := held.pop(pair, None)) is not None:
                if not held:
                    del self._held[node]
                return evidence
        return None

    def evidence(self, pair: Pair) -> Evidence | None:
        """What is known of a suspended pair."""
        for node in pair if self._held else ():
            if (evidence := self._held.get(node, {}).get(pair)) is not None:
                return evidence
        return None

    def pairs_of(self, node: Node) -> Iterator[Pair]:
        """The suspended pairs with this identifier."""
        yield from self._held.get(node, ())
        for shared, held in self._held.items():
            pair = min(node, shared), max(node, shared)
            if shared != node and pair in held:
                yield pair

    def before(self, node: Node, since: Item | None) -> Iterator[tuple[Pair, Evidence]]:
        """What is suspended because of an identifier and happened before a link; None: all of it."""
        for pair, evidence in self._held.get(node, {}).items():
            if since is None or items(pair, evidence)[0] < since:
                yield pair, evidence
