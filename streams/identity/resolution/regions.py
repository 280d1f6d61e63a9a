"""Regions: identifiers whose decisions one link may change together. Links of different regions wait for nobody else.

A decision changes the component of its link, and the components that suspended links would connect with it. A region
holds all of them. Regions only grow while a worker runs: a correction that parts a component parts no region. So two
links are in different regions only if neither can ever read what the other decides.
"""

from collections.abc import Iterable
from typing import Protocol


class Lane(Protocol):
    """What waits for a region."""

    def absorb(self, other: "Lane") -> None:
        """Take over what waits in another lane: the two regions became one."""


class Region:
    """A node of a union-find tree. Its root stands for the region."""

    __slots__ = ("_lane", "_parent", "_size")

    def __init__(self) -> None:
        self._parent: Region | None = None
        self._size = 1
        self._lane: Lane | None = None

    @property
    def root(self) -> "Region":
        """The node that stands for the whole region."""
        root = self
        while root._parent is not None:
            root = root._parent
        at = self
        while at._parent is not None:
            at._parent, at = root, at._parent
        return root

    @property
    def lane(self) -> Lane | None:
        """What waits for the region; None if nothing does."""
        return self.root._lane

    @lane.setter
    def lane(self, lane: Lane | None) -> None:
        self.root._lane = lane

    def join(self, other: "Region") -> "Region":
        """Make one region of two. Returns its root. What waits for either then waits in one lane."""
        large, small = self.root, other.root
        if large is small:
            return large
        if large._size < small._size:
            large, small = small, large
        small._parent = large
        large._size += small._size
        if small._lane is not None:
            if large._lane is None:
                large._lane = small._lane
            else:
                large._lane.absorb(small._lane)
            small._lane = None
        return large


def joined(regions: Iterable[Region | None]) -> Region | None:
    """Join regions into one. Returns its root; None if there are none."""
    joint: Region | None = None
    for region in regions:
        if region is not None:
            joint = region.root if joint is None else joint.join(region)
    return joint
