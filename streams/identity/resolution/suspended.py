"""Suspended links: refused by a gate, because an identifier is contested, closed for the other one's type, or of a
quarantined profile.

They are kept aside, because later evidence may show that the gate refuses only from a later time on, or not at all.
"""

from collections.abc import Iterator

from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, items
from streams.identity.resolution.gates import Gate, gates_of


class SuspendedLinks:
    """Evidence of suspended pairs, grouped by the gate that refuses them."""

    def __init__(self) -> None:
        self._held: dict[Gate, dict[Pair, Evidence]] = {}

    def hold(self, gate: Gate, pair: Pair, evidence: Evidence) -> None:
        """Suspend a pair that a gate refuses."""
        self._held.setdefault(gate, {})[pair] = evidence

    def release(self, pair: Pair) -> Evidence | None:
        """Remove a pair. Returns its evidence; None if the pair was not suspended."""
        for gate in gates_of(pair) if self._held else ():
            held = self._held.get(gate)
            if held is not None and (evidence := held.pop(pair, None)) is not None:
                if not held:
                    del self._held[gate]
                return evidence
        return None

    def evidence(self, pair: Pair) -> Evidence | None:
        """The evidence of a suspended pair; None if the pair is not suspended."""
        for gate in gates_of(pair) if self._held else ():
            if (evidence := self._held.get(gate, {}).get(pair)) is not None:
                return evidence
        return None

    def pairs_of(self, node: Node) -> Iterator[Pair]:
        """The suspended pairs that contain this identifier, whichever of the two has the gate."""
        for gate, held in self._held.items():
            pair = min(node, gate.node), max(node, gate.node)
            if gate.node == node:
                yield from held
            elif pair in held:
                yield pair

    def before(self, gate: Gate, since: Item | None) -> Iterator[tuple[Pair, Evidence]]:
        """The pairs that `gate` refuses and whose first link precedes `since`; None: all of them."""
        for pair, evidence in self._held.get(gate, {}).items():
            if since is None or items(pair, evidence)[0] < since:
                yield pair, evidence
