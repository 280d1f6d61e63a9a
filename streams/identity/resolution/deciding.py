"""Decides the links of components: as the next step where that is enough, or again from some link on.

Deciding again may take long in a large component, so it is a resumable computation (`work`). While it is paused, its
components are half decided and must not be read.
"""

from collections.abc import Iterable, Mapping

from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.component import Component
from streams.identity.resolution.decisions import BeforeImages
from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, in_order, items
from streams.identity.resolution.gates import Gate, by_gate
from streams.identity.resolution.history import SMALLEST_ITEM, History
from streams.identity.resolution.regions import Region, joined
from streams.identity.resolution.resumable import Resumable, yield_sometimes
from streams.identity.resolution.suspended import SuspendedLinks


class ComponentResolver:
    """A tenant's clusters, their components, and the suspended links."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters
        self.suspended = SuspendedLinks()
        #: regions of identifiers that have no component: a link with them is suspended, waits, or is being decided
        self._regions: dict[Node, Region] = {}

    def add_missing(self, nodes: Iterable[Node], before_images: BeforeImages | None) -> None:
        """Add those of the identifiers that have no link yet, each as a cluster of its own."""
        for node in nodes:
            if node not in self.clusters.cluster_of:
                newcomer = self.clusters.add(node)
                if before_images is not None:
                    before_images.newcomer(newcomer)

    def is_newest(self, item: Item) -> bool:
        """Whether a link is newer than all others of the components at its two sides."""
        components = (self.component(node) for node in item[1])
        return all(component is None or item > component.newest for component in components)

    def is_order_free(self, item: Item, gone: list[Item]) -> bool:
        """Whether a link that replaces the links `gone` has the same result at any position in the order."""
        clusters = self.clusters
        sides = clusters.sides(item[1])
        return (
            (item[2] or clusters.gates.of(item) is None)
            and clusters.stays_open(*sides)
            and clusters.obeys_every_rule(*sides)
            and clusters.keeps_every_refusal(*sides)
            and not any(was in clusters.refused for was in gone)
        )

    def append(
        self, item: Item, evidence: Evidence, before_images: BeforeImages | None, *, record: bool = False
    ) -> None:
        """Decide a link that is the newest of its component. `record`: a new component records its history."""
        clusters, pair = self.clusters, item[1]
        component = self.connect(pair, record=record)
        reason = clusters.reason_to_refuse(item)
        if reason is None:
            self.accept(item, evidence, before_images)
            return
        if before_images is not None:
            before_images.identifiers(clusters, clusters.shared(pair, reason))
        clusters.refuse(item, reason)
        if component.history is None:
            component.history = History(component.newest)
        component.history.append(item, None, refused=True)
        component.add(item, evidence)

    def accept(self, item: Item, evidence: Evidence, before_images: BeforeImages | None) -> None:
        """Accept a link that breaks no rule."""
        clusters, pair = self.clusters, item[1]
        component = self.connect(pair)
        survivor = clusters.survivor(item)
        if before_images is not None:
            before_images.before_uniting(clusters, pair, survivor.anchor)
        undo = clusters.unite(item, survivor)
        if component.history is not None:
            component.history.append(item, undo, refused=False)
        component.add(item, evidence)

    def component(self, node: Node) -> Component | None:
        """The component of an identifier; None if it has no link."""
        cluster = self.clusters.cluster_of.get(node)
        found: Component | None = None if cluster is None else cluster.component
        return found

    def region(self, nodes: Iterable[Node]) -> Region:
        """The region of these identifiers: one of all, if they had several. Changes no decision."""
        one = joined(self._region_of(node) for node in nodes)
        assert one is not None
        return one

    def _region_of(self, node: Node) -> Region:
        component = self.component(node)
        found = self._regions.get(node) if component is None else component.region
        if found is None:
            found = Region()
            if component is None:
                self._regions[node] = found
            else:
                component.region = found
        return found.root

    def connect(self, pair: Pair, *, record: bool = False) -> Component:
        """The one component of both sides. The smaller component joins the larger one.

        `record`: a new component records its history, even before a link is refused.
        """
        joint = self._connect(pair, record=record)
        if self._regions:
            for node in pair:
                joint.adopt(self._regions.pop(node, None))
        return joint

    def _connect(self, pair: Pair, *, record: bool) -> Component:
        one, other = self.clusters.sides(pair)
        large: Component | None = one.component
        small: Component | None = other.component
        if large is None or small is None:
            joint = large or small or Component(History(SMALLEST_ITEM) if record else None)
            one.component = other.component = joint
            return joint
        if large is not small:
            if large.size < small.size:
                large, small = small, large
            large.join(small, self.clusters)
        return large

    def redecide_since(
        self, links: list[Item], since: Item, before_images: BeforeImages | None
    ) -> Resumable[None]:
        """Decide again all links after `since` in the component of `links`, and decide `links` for the first time.

        A gate may turn out to refuse from a later time on, or not at all. The links that were suspended because of it
        are then decided too, together with their components. Each round gets further than the last, so the loop ends.
        Yields once before it reverts anything.
        """
        yield
        pair = links[0][1]
        while True:
            component = self.component(pair[0])
            assert component is not None
            history = component.history
            stay = None if history is None else history.count_before(since)
            if history is None or stay is None:
                yield from self.resolve_anew({}, set(pair), before_images)
                return
            opened: dict[Gate, Item] = {}
            again: list[Item] = []
            for item in history.rewind(stay, self.clusters, before_images, opened):
                yield from yield_sometimes(len(again))
                again.append(item)
            again.reverse()  # nearly sorted, which makes the sort below cheap
            again += links
            again.sort()
            for count, item in enumerate(again):
                yield from yield_sometimes(count)
                evidence = component.evidence(item[1])
                if evidence is None or item not in items(item[1], evidence):
                    continue  # earlier evidence of the pair has replaced this link
                if evidence.asserted is None and self.clusters.gates.of(item) is not None:
                    component.remove_suspended(item[1])
                    self.suspend(item, evidence)
                else:
                    self.append(item, evidence, before_images)
            reactivated = self._reactivated(opened)
            if not reactivated:
                break
            links = []
            for other, evidence in reactivated.items():
                self.add_missing(other, before_images)  # an erasure may have left a side without any link
                self.release(other)
                self.connect(other).put(other, evidence)
                links += items(other, evidence)
            since = min(links)
        if len(component.departed) > component.size:
            yield from self.resolve_anew({}, set(pair), before_images)

    def resolve_anew(
        self,
        links: Mapping[Pair, Evidence],
        nodes: set[Node],
        before_images: BeforeImages | None,
        without: Iterable[Pair] = (),
    ) -> Resumable[None]:
        """Decide all links of the components of `nodes` again, with `links` but without the pairs in `without`.

        Suspended links take part as in `redecide_since`. Each round adds links to the region, so the loop ends.
        Mutates `nodes`. Yields once before it removes anything.
        """
        yield
        region = dict(links)
        departed: list[Pair] = []
        while True:
            opened = yield from self._dismantle(region, nodes, departed, before_images)
            for pair in without:
                region.pop(pair, None)
            for count, item in enumerate(in_order(region.items())):
                yield from yield_sometimes(count)
                evidence = region[item[1]]
                self.add_missing(item[1], None)
                if evidence.asserted is None and self.clusters.gates.of(item) is not None:
                    self.suspend(item, evidence)
                else:
                    self.append(item, evidence, None, record=True)
            self.add_missing((node for pair in departed for node in pair), None)
            reactivated = self._reactivated(opened)
            if not reactivated:
                break
            region |= reactivated
            nodes.update(node for pair in reactivated for node in pair)
        for count, node in enumerate(nodes):
            yield from yield_sometimes(count)
            component = self.component(node)
            if component is not None and component.history is not None and not component.history.refusals:
                component.history = None

    def _dismantle(
        self,
        links: dict[Pair, Evidence],
        nodes: set[Node],
        departed: list[Pair],
        before_images: BeforeImages | None,
    ) -> Resumable[dict[Gate, Item]]:
        """Remove all decisions in the components of `nodes`.

        Returns the gates, each with the link since which it refused. Adds the components' links to `links` and their
        identifiers to `nodes`, for deciding them again.
        """
        clusters = self.clusters
        regions: list[Region | None] = []
        for pair in links:
            self.release(pair)
        for component in {found for node in nodes if (found := self.component(node)) is not None}:
            for count, (pair, evidence) in enumerate(component.links()):
                yield from yield_sometimes(count)
                links.setdefault(pair, evidence)
                nodes.update(pair)
                for item in items(pair, evidence):
                    if by_gate(clusters.refused.get(item)):
                        del clusters.refused[item]
            component.history = (
                None  # breaks a reference cycle: undos refer to clusters, which refer to the component
            )
            departed += component.departed
            nodes.update(node for pair in component.departed for node in pair)
            regions.append(component.region)
        region = joined((*regions, *(self._regions.get(node) for node in nodes)))
        if region is not None:
            # until they have components again: while this is paused, further links of theirs must find it
            self._regions.update(dict.fromkeys(nodes, region))
        opened: dict[Gate, Item] = {}
        for count, node in enumerate(nodes if before_images is not None else ()):
            yield from yield_sometimes(count)
            if before_images is not None and node in clusters.cluster_of:
                before_images.identifiers(clusters, (node,))
        for count, node in enumerate(nodes):
            yield from yield_sometimes(count)
            opened |= clusters.forget(node)
        return opened

    def suspend(self, item: Item, evidence: Evidence) -> None:
        """Refuse a link by its gate."""
        gate = self.clusters.gates.of(item)
        assert gate is not None
        self.region(item[1])  # one: if the gate opens, the two sides may be connected
        self.suspended.hold(gate, item[1], evidence)
        self.clusters.refuse(item, gate.reason)

    def release(self, pair: Pair) -> bool:
        """End the suspension of a pair, so that it can be decided again. Returns whether it was suspended."""
        evidence = self.suspended.release(pair)
        if evidence is None:
            return False
        for item in items(pair, evidence):
            self.clusters.refused.pop(item, None)
        return True

    def _reactivated(self, opened: dict[Gate, Item]) -> dict[Pair, Evidence]:
        """The suspended links that precede the link from which their gate refuses now.

        `opened`: the gates that refused before, each with the link since which it did.
        """
        reactivated: dict[Pair, Evidence] = {}
        for gate, was in opened.items():
            since = self.clusters.gates.since(gate)
            if since is None or since > was:
                reactivated.update(self.suspended.before(gate, since))
        return reactivated
