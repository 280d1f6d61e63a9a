"""Identifiers connected by links that may influence one another, refused ones too."""

from typing import Final

from streams.identity.evidence import Evidence, Item, Pair, in_order, packed, unpacked
from streams.identity.history import BEFORE_ALL, History
from streams.identity.uniting import Clusters

_RECORDED: Final = 1000  # links up to which a component is decided again to learn its history


class Component:
    """The links of a component, and how to take them back once one was refused."""

    __slots__ = ("departed", "history", "links", "newest")

    def __init__(self, history: History | None) -> None:
        self.links: dict[Pair, Evidence | int] = {}
        self.newest: Item = BEFORE_ALL
        self.history = history  #: None as long as no link was refused: order does not matter till then
        self.departed: list[Pair] = []  #: suspended since the component was made; they connect it no longer

    def add(self, item: Item, evidence: Evidence) -> None:
        """Take in a link that was decided."""
        self.links[item[1]] = packed(evidence)
        self.newest = max(self.newest, item)

    def join(self, other: "Component", clusters: Clusters) -> None:
        """Take in another component: best the smaller one."""
        if self.history is None:
            self.history = other.history
            if self.history is not None:
                self.history.begin = max(self.history.begin, self.newest)
        elif other.history is not None:
            self.history.join(other.history)
        elif len(other.links) <= _RECORDED:
            self.history.join(other.recorded(clusters))
        else:
            self.history.begin = max(self.history.begin, other.newest)
        for pair in (*other.links, *other.departed):
            for node in pair:
                clusters.cluster_of[node].component = self
        other.history = None
        self.links.update(other.links)
        self.departed += other.departed
        self.newest = max(self.newest, other.newest)

    def recorded(self, clusters: Clusters) -> History:
        """The history of a component that has none, learned by deciding its links again; none was refused."""
        history = History(BEFORE_ALL)
        for node in {node for pair in self.links for node in pair}:
            clusters.add(node)
        for item in in_order((pair, unpacked(known)) for pair, known in self.links.items()):
            history.append(item, clusters.unite(item, clusters.survivor(item)), refused=False)
        return history
