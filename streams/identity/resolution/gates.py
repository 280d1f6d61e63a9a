"""Gates: what refuses an observed link without a look at the clusters, since an earlier refusal.

An identifier that two people share is contested: it takes no observed link any more. An identifier at which limits
refused many links with identifiers of one type is closed for that type. So a link that a gate refuses connects
nothing, and ten thousand of them cost no more than ten thousand look-ups.
"""

from typing import Final, NamedTuple

from streams.identity.resolution.evidence import Item, Node

#: Reason of a refusal: one of the two identifiers is contested.
CONTESTED: Final = "contested"
#: How the reason of a refusal begins if one of the two identifiers is closed for the type of the other.
CLOSED: Final = "closed:"


class Gate(NamedTuple):
    """An identifier that refuses observed links."""

    node: Node
    other: str  #: type of the other identifier; "" for every type, if `node` is contested

    @property
    def reason(self) -> str:
        """The reason of its refusals."""
        return f"{CLOSED}{self.other}" if self.other else CONTESTED


def by_gate(reason: str | None) -> bool:
    """Whether a gate refused a link."""
    return reason is not None and (reason == CONTESTED or reason.startswith(CLOSED))


class Gates:
    """The gates of one tenant, each with the link since which it refuses."""

    def __init__(self, close_after: int) -> None:
        """`close_after`: links with one type that limits refuse at an identifier until it is closed for the type."""
        self._close_after = close_after
        self.contested: dict[Node, Item] = {}
        self.closed: dict[Node, dict[str, Item]] = {}
        self._over_limit: dict[
            Node, dict[str, int]
        ] = {}  #: refusals by limits, by type of the other identifier

    def of(self, item: Item) -> Gate | None:
        """The gate that refuses a link, if the link is observed; None if the clusters must decide it."""
        for node in item[1] if self.contested else ():
            since = self.contested.get(node)
            if since is not None and since < item:
                return Gate(node, "")
        for node, (other, _) in _both_ways(item) if self.closed else ():
            since = self.closed.get(node, {}).get(other)
            if since is not None and since < item:
                return Gate(node, other)
        return None

    def since(self, gate: Gate) -> Item | None:
        """The link since which a gate refuses; None if it does not."""
        return self.closed.get(gate.node, {}).get(gate.other) if gate.other else self.contested.get(gate.node)

    def count(self, item: Item) -> None:
        """Note that a limit refused a link."""
        for node, (other, _) in _both_ways(item):
            counts = self._over_limit.setdefault(node, {})
            counts[other] = counts.get(other, 0) + 1
            if counts[other] == self._close_after:
                self.closed.setdefault(node, {})[other] = item

    def uncount(self, item: Item) -> None:
        """Revert the newest `count` of this link's two identifiers."""
        for node, (other, _) in _both_ways(item):
            self._over_limit[node][other] -= 1

    def since_refusal_of(self, item: Item) -> list[Gate]:
        """The gates that refuse since this link was refused."""
        gates = [Gate(node, "") for node in item[1] if self.contested.get(node) == item]
        for node, (other, _) in _both_ways(item) if self.closed else ():
            if self.closed.get(node, {}).get(other) == item:
                gates.append(Gate(node, other))
        return gates

    def open(self, gate: Gate) -> None:
        """Remove a gate."""
        if not gate.other:
            del self.contested[gate.node]
            return
        closed = self.closed[gate.node]
        del closed[gate.other]
        if not closed:
            del self.closed[gate.node]

    def forget(self, node: Node) -> dict[Gate, Item]:
        """Remove all that is known of an identifier. Returns its gates, each with the link since which it refused."""
        self._over_limit.pop(node, None)
        gates = {Gate(node, other): since for other, since in self.closed.pop(node, {}).items()}
        if node in self.contested:
            gates[Gate(node, "")] = self.contested.pop(node)
        return gates


def _both_ways(item: Item) -> tuple[tuple[Node, Node], tuple[Node, Node]]:
    left, right = item[1]
    return (left, right), (right, left)
