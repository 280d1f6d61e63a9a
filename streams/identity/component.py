"""Identifiers connected by links that may influence one another, refused ones too."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from streams.identity.evidence import Evidence, Item, Pair, in_order, packed, unpacked
from streams.identity.history import BEFORE_ALL, History
from streams.identity.uniting import Clusters

#: Pairs and their evidence in turns: most people have one or two links, and a dict for these takes three times as much.
_Few: TypeAlias = tuple[Any, ...]
_MOST: Final = 3  # links that are kept so

_RECORDED: Final = 1000  # links up to which a component is decided again to learn its history


class Component:
    """The links of a component, and how to take them back once one was refused."""

    __slots__ = ("_links", "departed", "history", "newest")

    def __init__(self, history: History | None) -> None:
        self._links: _Few | dict[Pair, Evidence | int] = ()
        self.newest: Item = BEFORE_ALL
        self.history = history  #: None as long as no link was refused: order does not matter till then
        #: suspended since the component was made; they connect it no longer
        self.departed: list[Pair] | tuple[()] = ()

    @property
    def size(self) -> int:
        """How many pairs it links."""
        return len(self._links) if isinstance(self._links, dict) else len(self._links) // 2

    def links(self) -> Iterator[tuple[Pair, Evidence]]:
        """The pairs and what is known of them."""
        for pair, evidence in self._pairs():
            yield pair, unpacked(evidence)

    def evidence(self, pair: Pair) -> Evidence | None:
        """What is known of a pair; None if nothing links it here."""
        if isinstance(self._links, dict):
            known = self._links.get(pair)
            return None if known is None else unpacked(known)
        return next((unpacked(known) for other, known in self._pairs() if other == pair), None)

    def keep(self, pair: Pair, evidence: Evidence) -> None:
        """Know this of a pair, whatever was known before."""
        if isinstance(self._links, dict):
            self._links[pair] = packed(evidence)
        elif not self._links:
            self._links = pair, packed(evidence)
        else:
            links = dict(self._pairs())
            links[pair] = packed(evidence)
            self._links = _few(links) if len(links) <= _MOST else links

    def depart(self, pair: Pair) -> None:
        """Let a link go that is suspended."""
        if isinstance(self._links, dict):
            del self._links[pair]
        else:
            self._links = _few({other: known for other, known in self._pairs() if other != pair})
        self._departing((pair,))

    def add(self, item: Item, evidence: Evidence) -> None:
        """Take in a link that was decided."""
        self.keep(item[1], evidence)
        self.newest = max(self.newest, item)

    def join(self, other: "Component", clusters: Clusters) -> None:
        """Take in another component: best the smaller one."""
        if self.history is None:
            self.history = other.history
            if self.history is not None:
                self.history.begin = max(self.history.begin, self.newest)
        elif other.history is not None:
            self.history.join(other.history)
        elif other.size <= _RECORDED:
            self.history.join(other.recorded(clusters))
        else:
            self.history.begin = max(self.history.begin, other.newest)
        for pair in (*(pair for pair, _ in other.links()), *other.departed):
            for node in pair:
                clusters.cluster_of[node].component = self
        other.history = None
        links = self._links if isinstance(self._links, dict) else dict(self._pairs())
        links.update(other._pairs())
        self._links = _few(links) if len(links) <= _MOST else links
        if other.departed:
            self._departing(other.departed)
        self.newest = max(self.newest, other.newest)

    def recorded(self, clusters: Clusters) -> History:
        """The history of a component that has none, learned by deciding its links again; none was refused."""
        history = History(BEFORE_ALL)
        for node in {node for pair, _ in self.links() for node in pair}:
            clusters.add(node)
        for item in in_order(self.links()):
            history.append(item, clusters.unite(item, clusters.survivor(item)), refused=False)
        return history

    def _departing(self, pairs: Iterable[Pair]) -> None:
        if isinstance(self.departed, tuple):
            self.departed = []
        self.departed += pairs

    def _pairs(self) -> Iterable[tuple[Pair, Evidence | int]]:
        if isinstance(self._links, dict):
            return self._links.items()
        return zip(self._links[::2], self._links[1::2], strict=True)


def _few(links: dict[Pair, Evidence | int]) -> _Few:
    return tuple(part for link in links.items() for part in link)
