"""The history of a component: the decided links in order, so that a late link repeats only the later decisions.

A history may begin in the middle. It is kept from the first refused link on, because the order does not matter before.
The links before its beginning can only be reverted all together.
"""

from bisect import insort
from collections.abc import Iterator
from typing import Final, NamedTuple

from streams.identity.resolution.cluster import Undo
from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.decisions import BeforeImages
from streams.identity.resolution.evidence import Item
from streams.identity.resolution.gates import Gate

SMALLEST_ITEM: Final[Item] = (-(1 << 62), (("", ""), ("", "")), False)


class Step(NamedTuple):
    """The decision of one link."""

    item: Item
    #: the newest link of all steps up to this one: an order-free link is decided late, out of order
    newest: Item
    undo: Undo | None  #: None if the link was refused or changed nothing


class History:
    """The steps of one component. At any time their result equals the definition's for the links in them."""

    __slots__ = ("begin", "refusals", "steps")

    def __init__(self, begin: Item) -> None:
        self.begin = begin  #: the newest link without a step
        self.steps: list[Step] = []
        self.refusals = 0  #: number of steps that refused a link, including reverted steps

    def append(self, item: Item, undo: Undo | None, *, refused: bool) -> None:
        """Append the step of a link that was just decided."""
        newest = max(item, self.steps[-1].newest) if self.steps else item
        self.steps.append(Step(item, newest, undo))
        self.refusals += refused

    def join(self, other: "History") -> None:
        """Merge the steps of another component into this history.

        The two components were independent, so any interleaving is right that keeps each one's own order. Ordering by
        newest link reverts the fewest steps for a late link.
        """
        self.begin = max(self.begin, other.begin)
        self.refusals += other.refusals
        if len(other.steps) * 8 < len(self.steps):
            for step in other.steps:
                insort(self.steps, step, key=_newest)
        else:
            self.steps += other.steps
            self.steps.sort(key=_newest)

    def count_before(self, since: Item) -> int | None:
        """The number of steps before `since`. The steps after them are those that `rewind` must revert for it.

        A link decided out of order moves the boundary back: everything newer than it is reverted too. None if a link
        before the beginning of the history would have to be reverted.
        """
        stay = len(self.steps)
        while stay and self.steps[stay - 1].newest >= since:
            stay -= 1
            since = min(since, self.steps[stay].item)
        return stay if since > self.begin else None

    def rewind(
        self, stay: int, clusters: Clusters, before_images: BeforeImages | None, opened: dict[Gate, Item]
    ) -> Iterator[Item]:
        """Revert all but the first `stay` steps. Yields their links, the newest step first.

        Adds to `opened` each gate that no longer refuses, with the link since which it did.
        """
        while len(self.steps) > stay:
            item, _, undo = self.steps.pop()
            gates = clusters.gates.since_decision_of(item)
            opened.update(dict.fromkeys(gates, item))
            if before_images is not None:
                before_images.identifiers(clusters, (gate.node for gate in gates if not gate.other))
            for gate in gates:
                clusters.gates.open(gate)
            if item in clusters.refused:
                clusters.revert_refuse(item)
            elif undo is not None:
                if before_images is not None:
                    before_images.before_reverting(clusters, undo)
                clusters.revert_unite(undo)
            yield item


def _newest(step: Step) -> Item:
    return step.newest
