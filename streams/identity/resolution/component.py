"""A connected component: identifiers that are connected by links, including refused ones but not suspended ones.

A link's decision depends only on earlier links of its component.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.evidence import Evidence, Item, Pair, in_order, packed, unpacked
from streams.identity.resolution.history import SMALLEST_ITEM, History
from streams.identity.resolution.regions import Region

#: Alternating pairs and evidence. Most people have one or two links, for which a dict takes three times the memory.
_CompactLinks: TypeAlias = tuple[Any, ...]
_MAX_COMPACT_LINKS: Final = 3

#: A component of up to this many links is decided again to obtain its history.
_MAX_REDECIDED_LINKS: Final = 1000


class Component:
    """The links of one component, and the history that reverts them, which is kept from the first refusal on."""

    __slots__ = ("_links", "departed", "history", "newest", "region")

    def __init__(self, history: History | None) -> None:
        self._links: _CompactLinks | dict[Pair, Evidence | int] = ()
        self.newest: Item = SMALLEST_ITEM
        self.history = history  #: None until a rule refuses a link: the order does not matter before
        #: pairs that were suspended after they had connected this component; they no longer connect it
        self.departed: list[Pair] | tuple[()] = ()
        self.region: Region | None = None  #: None until somebody asks for it, or a link is suspended here

    @property
    def size(self) -> int:
        """The number of linked pairs."""
        return len(self._links) if isinstance(self._links, dict) else len(self._links) // 2

    def links(self) -> Iterator[tuple[Pair, Evidence]]:
        """The pairs and their evidence."""
        for pair, evidence in self._pairs():
            yield pair, unpacked(evidence)

    def evidence(self, pair: Pair) -> Evidence | None:
        """The evidence of a pair; None if the component does not link the pair."""
        if isinstance(self._links, dict):
            known = self._links.get(pair)
            return None if known is None else unpacked(known)
        return next((unpacked(known) for other, known in self._pairs() if other == pair), None)

    def put(self, pair: Pair, evidence: Evidence) -> None:
        """Set the evidence of a pair, replacing any earlier evidence."""
        if isinstance(self._links, dict):
            self._links[pair] = packed(evidence)
        elif not self._links:
            self._links = pair, packed(evidence)
        else:
            links = dict(self._pairs())
            links[pair] = packed(evidence)
            self._links = _compacted(links) if len(links) <= _MAX_COMPACT_LINKS else links

    def remove_suspended(self, pair: Pair) -> None:
        """Remove a pair that is suspended, and note that it once connected this component."""
        if isinstance(self._links, dict):
            del self._links[pair]
        else:
            self._links = _compacted({other: known for other, known in self._pairs() if other != pair})
        self._add_departed((pair,))

    def add(self, item: Item, evidence: Evidence) -> None:
        """Add a decided link with its pair's evidence."""
        self.put(item[1], evidence)
        self.newest = max(self.newest, item)

    def adopt(self, region: Region | None) -> None:
        """Join a region into the component's own. None changes nothing."""
        if region is not None:
            self.region = region.root if self.region is None else self.region.join(region)

    def join(self, other: "Component", clusters: Clusters) -> None:
        """Absorb another component and its history. The smaller of the two should be `other`."""
        self.adopt(other.region)
        if self.history is None:
            self.history = other.history
            if self.history is not None:
                self.history.begin = max(self.history.begin, self.newest)
        elif other.history is not None:
            self.history.join(other.history)
        elif other.size <= _MAX_REDECIDED_LINKS:
            self.history.join(other.recorded(clusters))
        else:
            self.history.begin = max(self.history.begin, other.newest)
        for pair in (*(pair for pair, _ in other.links()), *other.departed):
            for node in pair:
                clusters.cluster_of[node].component = self
        other.history = None
        links = self._links if isinstance(self._links, dict) else dict(self._pairs())
        links.update(other._pairs())
        self._links = _compacted(links) if len(links) <= _MAX_COMPACT_LINKS else links
        if other.departed:
            self._add_departed(other.departed)
        self.newest = max(self.newest, other.newest)

    def recorded(self, clusters: Clusters) -> History:
        """The history of a component that has none, obtained by deciding its links again.

        Precondition: no link of the component was refused.
        """
        history = History(SMALLEST_ITEM)
        for node in {node for pair, _ in self.links() for node in pair}:
            clusters.add(node)
        for item in in_order(self.links()):
            history.append(item, clusters.unite(item, clusters.survivor(item)), refused=False)
        return history

    def _add_departed(self, pairs: Iterable[Pair]) -> None:
        if isinstance(self.departed, tuple):
            self.departed = []
        self.departed += pairs

    def _pairs(self) -> Iterable[tuple[Pair, Evidence | int]]:
        if isinstance(self._links, dict):
            return self._links.items()
        return zip(self._links[::2], self._links[1::2], strict=True)


def _compacted(links: dict[Pair, Evidence | int]) -> _CompactLinks:
    return tuple(part for link in links.items() for part in link)
