"""How the links of components are decided: one after the other where that will do, or again from some link on.

What may take a while in a large component is written as work that rests after some links. In a rest the
components are half decided, so nobody may ask about them.
"""

from collections.abc import Iterable, Mapping

from streams.identity.component import Component
from streams.identity.decisions import Journal
from streams.identity.evidence import Evidence, Item, Node, Pair, in_order, items
from streams.identity.history import BEFORE_ALL, History
from streams.identity.suspended import Suspended
from streams.identity.uniting import CONTESTED, Clusters
from streams.identity.work import Work, rest


class Deciding:
    """A tenant's clusters, the components that they are in, and the links that are suspended."""

    def __init__(self, clusters: Clusters) -> None:
        self.clusters = clusters
        self.suspended = Suspended()

    def admit(self, nodes: Iterable[Node], journal: Journal | None) -> None:
        """Let identifiers in that have no link yet."""
        for node in nodes:
            if node not in self.clusters.cluster_of:
                newcomer = self.clusters.add(node)
                if journal is not None:
                    journal.newcomer(newcomer)

    def is_newest(self, item: Item) -> bool:
        """Whether a link is newer than all others of its component."""
        components = (self.component(node) for node in item[1])
        return all(component is None or item > component.newest for component in components)

    def is_free(self, item: Item, gone: list[Item]) -> bool:
        """Whether a link, in place of `gone`, does the same whenever it is decided."""
        clusters = self.clusters
        sides = clusters.sides(item[1])
        return (
            (item[2] or self.contested_before(item) is None)
            and clusters.obeys_every_rule(*sides)
            and clusters.keeps_every_refusal(*sides)
            and not any(was in clusters.refused for was in gone)
        )

    def append(
        self, item: Item, evidence: Evidence, journal: Journal | None, *, record: bool = False
    ) -> None:
        """Take the next step of a component."""
        clusters, pair = self.clusters, item[1]
        component = self.connect(pair, record=record)
        reason = clusters.judge(item)
        if reason is None:
            self.accept(item, evidence, journal)
            return
        if journal is not None:
            journal.identifiers(clusters, clusters.shared(pair, reason))
        clusters.refuse(item, reason)
        if component.history is None:
            component.history = History(component.newest)
        component.history.append(item, None, refused=True)
        component.add(item, evidence)

    def accept(self, item: Item, evidence: Evidence, journal: Journal | None) -> None:
        """Accept a link that breaks no rule."""
        clusters, pair = self.clusters, item[1]
        component = self.connect(pair)
        survivor = clusters.survivor(item)
        if journal is not None:
            journal.uniting(clusters, pair, survivor.anchor)
        undo = clusters.unite(item, survivor)
        if component.history is not None:
            component.history.append(item, undo, refused=False)
        component.add(item, evidence)

    def component(self, node: Node) -> Component | None:
        """The component of an identifier; None if nothing links it."""
        cluster = self.clusters.cluster_of.get(node)
        found: Component | None = None if cluster is None else cluster.component
        return found

    def connect(self, pair: Pair, *, record: bool = False) -> Component:
        """The component of both sides, made one: the smaller joins the larger. A new one may record its history."""
        one, other = self.clusters.sides(pair)
        large: Component | None = one.component
        small: Component | None = other.component
        if large is None or small is None:
            joint = large or small or Component(History(BEFORE_ALL) if record else None)
            one.component = other.component = joint
            return joint
        if large is not small:
            if large.size < small.size:
                large, small = small, large
            large.join(small, self.clusters)
        return large

    def repeating(self, links: list[Item], since: Item, journal: Journal | None) -> Work[None]:
        """Decide again what comes after `since` in the component of `links`, and these for the first time.

        If an identifier turns out to be contested later than thought, or not at all, the links that were
        suspended because of it take part, with their components. Each round gets further than the last.
        """
        pair = links[0][1]
        while True:
            component = self.component(pair[0])
            assert component is not None
            history = component.history
            stay = None if history is None else history.staying(since)
            if history is None or stay is None:
                yield from self.resolving({}, set(pair), journal)
                return
            contested: dict[Node, Item] = {}
            again: list[Item] = []
            for item in history.rewind(stay, self.clusters, journal, contested):
                yield from rest(len(again))
                again.append(item)
            again.reverse()  # nearly in order, so that sorting takes next to nothing
            again += links
            again.sort()
            for count, item in enumerate(again):
                yield from rest(count)
                evidence = component.evidence(item[1])
                if evidence is None or item not in items(item[1], evidence):
                    continue  # earlier evidence took its place
                if evidence.asserted is None and self.contested_before(item) is not None:
                    component.depart(item[1])
                    self.suspend(item, evidence)
                else:
                    self.append(item, evidence, journal)
            woken = self._woken(contested)
            if not woken:
                break
            links = []
            for other, evidence in woken.items():
                self.admit(other, journal)  # an erasure may have left a side without any link
                self.release(other)
                self.connect(other).keep(other, evidence)
                links += items(other, evidence)
            since = min(links)
        if len(component.departed) > component.size:
            yield from self.resolving({}, set(pair), journal)

    def resolving(
        self,
        links: Mapping[Pair, Evidence],
        nodes: set[Node],
        journal: Journal | None,
        without: Iterable[Pair] = (),
    ) -> Work[None]:
        """Decide anew the components of `nodes`, taking `links` in with their new evidence.

        Suspended links take part as in `repeating`. The region only grows, so this ends.
        """
        region = dict(links)
        departed: list[Pair] = []
        while True:
            contested = yield from self._taking_down(region, nodes, departed, journal)
            for pair in without:
                region.pop(pair, None)
            for count, item in enumerate(in_order(region.items())):
                yield from rest(count)
                evidence = region[item[1]]
                self.admit(item[1], None)
                if evidence.asserted is None and self.contested_before(item) is not None:
                    self.suspend(item, evidence)
                else:
                    self.append(item, evidence, None, record=True)
            self.admit((node for pair in departed for node in pair), None)
            woken = self._woken(contested)
            if not woken:
                break
            region |= woken
            nodes.update(node for pair in woken for node in pair)
        for count, node in enumerate(nodes):
            yield from rest(count)
            component = self.component(node)
            if component is not None and component.history is not None and not component.history.refusals:
                component.history = None

    def _taking_down(
        self, links: dict[Pair, Evidence], nodes: set[Node], departed: list[Pair], journal: Journal | None
    ) -> Work[dict[Node, Item]]:
        """Forget what was decided in the components of `nodes`; add all their links and identifiers to both.

        Returns what was contested there, since which link.
        """
        clusters = self.clusters
        for pair in links:
            self.release(pair)
        for component in {found for node in nodes if (found := self.component(node)) is not None}:
            for count, (pair, evidence) in enumerate(component.links()):
                yield from rest(count)
                links.setdefault(pair, evidence)
                nodes.update(pair)
                for item in items(pair, evidence):
                    if clusters.refused.get(item) == CONTESTED:
                        del clusters.refused[item]
            component.history = None  # its clusters lead back to it
            departed += component.departed
            nodes.update(node for pair in component.departed for node in pair)
        contested: dict[Node, Item] = {}
        for count, node in enumerate(nodes if journal is not None else ()):
            yield from rest(count)
            if journal is not None and node in clusters.cluster_of:
                journal.identifiers(clusters, (node,))
        for count, node in enumerate(nodes):
            yield from rest(count)
            if node in clusters.contested:
                contested[node] = clusters.contested.pop(node)
            clusters.forget(node)
        return contested

    def contested_before(self, item: Item) -> Node | None:
        """The side of a link that was contested already when it happened."""
        contested = self.clusters.contested
        if contested:
            for node in item[1]:
                since = contested.get(node)
                if since is not None and since < item:
                    return node
        return None

    def suspend(self, item: Item, evidence: Evidence) -> None:
        """Refuse a link because of the side that was contested before it."""
        node = self.contested_before(item)
        assert node is not None
        self.suspended.hold(node, item[1], evidence)
        self.clusters.refuse(item, CONTESTED)

    def release(self, pair: Pair) -> bool:
        """Let a pair take part again; return whether it was suspended."""
        evidence = self.suspended.release(pair)
        if evidence is None:
            return False
        for item in items(pair, evidence):
            self.clusters.refused.pop(item, None)
        return True

    def _woken(self, contested: dict[Node, Item]) -> dict[Pair, Evidence]:
        """The suspended links that happened before their identifier is contested as it now turns out."""
        woken: dict[Pair, Evidence] = {}
        for node, was in contested.items():
            since = self.clusters.contested.get(node)
            if since is None or since > was:
                woken.update(self.suspended.before(node, since))
        return woken
