"""Gates: what refuses an observed link without a look at the clusters, since an earlier refusal.

An identifier that two people share is contested: it takes no observed link any more. An identifier at which limits
refused many links with identifiers of one type is closed for that type. A profile at whose identifiers limits refused
very many links is quarantined, and each of its identifiers with it. So a link that a gate refuses connects nothing,
and ten thousand of them cost no more than ten thousand look-ups.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from streams.identity.resolution.evidence import Item, Node, Pair

#: Reason of a refusal: one of the two identifiers is contested.
CONTESTED: Final = "contested"
#: How the reason of a refusal begins if one of the two identifiers is closed for the type of the other.
CLOSED: Final = "closed:"
#: Reason of a refusal: the profile of one of the two identifiers is quarantined.
QUARANTINED: Final = "quarantined"
#: In place of a type, in the gates of a quarantined profile. No type is called so.
_EVERYTHING: Final = "*"


class Gate(NamedTuple):
    """An identifier that refuses observed links."""

    node: Node
    other: str  #: type of the other identifier; "" if `node` is contested, "*" if its profile is quarantined

    @property
    def reason(self) -> str:
        """The reason of its refusals."""
        if self.other == _EVERYTHING:
            return QUARANTINED
        return f"{CLOSED}{self.other}" if self.other else CONTESTED


def by_gate(reason: str | None) -> bool:
    """Whether a gate refused a link."""
    return reason is not None and (reason in (CONTESTED, QUARANTINED) or reason.startswith(CLOSED))


def gates_of(pair: Pair) -> Iterator[Gate]:
    """The gates that may refuse a pair."""
    for node, (other, _) in zip(pair, reversed(pair), strict=True):
        yield Gate(node, "")
        yield Gate(node, other)
        yield Gate(node, _EVERYTHING)


class Gates:
    """The gates of one tenant, each with the link since which it refuses."""

    def __init__(self, close_after: int) -> None:
        """`close_after`: links with one type that limits refuse at an identifier until it is closed for the type."""
        self._close_after = close_after
        self.contested: dict[Node, Item] = {}
        self.closed: dict[Node, dict[str, Item]] = {}
        self.quarantined: dict[Node, Item] = {}
        self._quarantined_by: dict[Item, set[Node]] = {}
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
        for node in item[1] if self.quarantined else ():
            since = self.quarantined.get(node)
            if since is not None and since < item:
                return Gate(node, _EVERYTHING)
        return None

    def since(self, gate: Gate) -> Item | None:
        """The link since which a gate refuses; None if it does not."""
        if gate.other == _EVERYTHING:
            return self.quarantined.get(gate.node)
        return self.closed.get(gate.node, {}).get(gate.other) if gate.other else self.contested.get(gate.node)

    def quarantine(self, nodes: Iterable[Node], item: Item) -> None:
        """Refuse what is newer than a link at all identifiers of a profile, unless they refuse already."""
        new = [node for node in nodes if node not in self.quarantined]
        if new:
            self.quarantined.update(dict.fromkeys(new, item))
            self._quarantined_by.setdefault(item, set()).update(new)

    def _end_quarantine(self, node: Node) -> Item:
        since = self.quarantined.pop(node)
        together = self._quarantined_by[since]
        together.remove(node)
        if not together:
            del self._quarantined_by[since]
        return since

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

    def since_decision_of(self, item: Item) -> list[Gate]:
        """The gates that refuse since this link was decided."""
        gates = [Gate(node, "") for node in item[1] if self.contested.get(node) == item]
        for node, (other, _) in _both_ways(item) if self.closed else ():
            if self.closed.get(node, {}).get(other) == item:
                gates.append(Gate(node, other))
        gates += (Gate(node, _EVERYTHING) for node in self._quarantined_by.get(item, ()))
        return gates

    def open(self, gate: Gate) -> None:
        """Remove a gate."""
        if not gate.other:
            del self.contested[gate.node]
            return
        if gate.other == _EVERYTHING:
            self._end_quarantine(gate.node)
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
        if node in self.quarantined:
            gates[Gate(node, _EVERYTHING)] = self._end_quarantine(node)
        return gates


def _both_ways(item: Item) -> tuple[tuple[Node, Node], tuple[Node, Node]]:
    left, right = item[1]
    return (left, right), (right, left)
