"""In which order the links of a component were decided, so that a late link repeats only what comes after it.

A history may begin in the middle: it is kept from a component's first refused link on, since before that order
cannot matter. Links before its beginning can be taken back only all together.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final, NamedTuple

from streams.identity.decisions import Journal
from streams.identity.evidence import Item, Node
from streams.identity.uniting import Clusters, Undo

BEFORE_ALL: Final[Item] = (-(1 << 62), (("", ""), ("", "")), False)


class Step(NamedTuple):
    """One link that was decided."""

    item: Item
    newest: Item  #: of this step and all before it: links whose order is free are decided late
    undo: Undo | None  #: what it united; None if it was refused or changed nothing


class History:
    """The steps of one component. At any time they end where the definition ends for the links in them."""

    __slots__ = ("begin", "refusals", "steps")

    def __init__(self, begin: Item) -> None:
        self.begin = begin  #: the newest link that has no step
        self.steps: list[Step] = []
        self.refusals = 0  #: how many steps refused a link, those taken back included

    def append(self, item: Item, undo: Undo | None, *, refused: bool) -> None:
        """Note a step."""
        newest = max(item, self.steps[-1].newest) if self.steps else item
        self.steps.append(Step(item, newest, undo))
        self.refusals += refused

    def join(self, other: "History") -> None:
        """Take in the steps of another component.

        They had nothing to do with each other, so any order will do that keeps each one's own; this one takes
        least back for a late link.
        """
        self.begin = max(self.begin, other.begin)
        self.refusals += other.refusals
        if len(other.steps) * 8 < len(self.steps):
            for step in other.steps:
                insort(self.steps, step, key=_newest)
        else:
            self.steps += other.steps
            self.steps.sort(key=_newest)

    def staying(self, since: Item) -> int | None:
        """How many steps stay when a link and all newer ones are taken back, and what was decided after those.

        None if that goes back beyond the beginning.
        """
        stay = len(self.steps)
        while stay and self.steps[stay - 1].newest >= since:
            stay -= 1
            since = min(since, self.steps[stay].item)
        return stay if since > self.begin else None

    def rewind(
        self, stay: int, clusters: Clusters, journal: Journal | None, contested: dict[Node, Item]
    ) -> Iterator[Item]:
        """Take back all but the first `stay` steps; yields their links, the last one first.

        To `contested` goes what is contested no longer, and since which link it was.
        """
        while len(self.steps) > stay:
            item, _, undo = self.steps.pop()
            reason = clusters.refused.get(item)
            if reason is not None:
                shared = clusters.shared(item[1], reason)
                contested.update((node, clusters.contested[node]) for node in shared)
                if journal is not None:
                    journal.identifiers(clusters, shared)
                clusters.readmit(item)
            elif undo is not None:
                if journal is not None:
                    journal.parting(clusters, undo)
                clusters.part(undo)
            yield item


def _newest(step: Step) -> Item:
    return step.newest
