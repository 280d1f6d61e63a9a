"""The touchpoints of one profile as an ordered set: of the copies of an event, one counts and is folded.

Copies of one event may differ (schemas/touchpoint/events.py). The set keeps them all. When the copy that counts
leaves, the next comes to count. Of copies with one owner, one time and one evidence, which always leave together and
prove the same, the set keeps the better one alone.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from itertools import chain

from schemas.touchpoint.events import Rank
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.cached_fold import CachedFold, first_of_its_time
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.entry import Entry, Node, best_by_owner, supersedes
from streams.journeys.timeline.horizon_summary import HorizonSummary


@dataclass(slots=True)
class TouchpointSet:
    """Touchpoints in fold order: (occurred_at, event_id, source). Each change tells the cached fold where it begins."""

    tenant: str
    profile_id: str
    entries: dict[str, Entry] = field(default_factory=dict)  #: by event, the copy that counts
    copies: dict[str, list[Entry]] = field(default_factory=dict)  #: by event, the copies that do not, if any
    order: list[Stamp] = field(default_factory=list)
    #: by owner, the order of its own touchpoints: of each event the copy that would count if there were no other owners
    places: dict[Node, list[Stamp]] = field(default_factory=dict)
    #: what is beyond the horizon, by owner
    summaries: dict[Node, HorizonSummary] = field(default_factory=dict)
    size: int = 0  #: bytes of all touchpoints held, copies included: no less than their characters
    cached: CachedFold = field(default_factory=CachedFold)

    @property
    def empty(self) -> bool:
        """Whether nothing is left: no touchpoint and no summary."""
        return not self.entries and not self.summaries

    def put(self, entries: list[Entry]) -> None:
        """Fill an empty timeline with touchpoints that were on it before."""
        entries.sort(key=lambda entry: entry.place)
        copies = []
        for entry in entries:
            if entry.event in self.entries:
                copies.append(entry)
                continue
            self.size += len(entry.value)
            place = entry.place
            self.entries[entry.event] = entry
            self.order.append(place)
            self.places.setdefault(entry.node, []).append(place)
        for entry in copies:
            self.insert(entry, Effects())

    def held(self) -> list[Entry]:
        """All touchpoints, also the copies of an event that do not count."""
        if not self.copies:
            return list(self.entries.values())
        return [*self.entries.values(), *chain.from_iterable(self.copies.values())]

    def insert(self, entry: Entry, effects: Effects) -> bool:
        """Put an entry in its place; False if its event is there already, and a fold cannot just go on."""
        if entry.event in self.entries:
            self._insert_copy(entry, effects)
            return False
        place = entry.place
        if self.order and place < self.order[-1]:
            self.cached.forget(first_of_its_time(self.order, place))
            insort(self.order, place)
        else:
            if self.order and place[0] == self.order[-1][0]:
                self.cached.forget(first_of_its_time(self.order, place))
            self.order.append(place)
            if self.summaries and any(place <= summary.boundary for summary in self.summaries.values()):
                self.cached.forget()
        insort(self.places.setdefault(entry.node, []), place)
        self.entries[entry.event] = entry
        self.size += len(entry.value)
        effects.write(entry.id, entry.value)
        effects.emptied = False
        return True

    def _insert_copy(self, entry: Entry, effects: Effects) -> None:
        """Put an entry among the copies of its event, unless one with its owner, time and evidence is better."""
        copies = self.copies_of(entry.event)
        for twin in copies:
            if twin.id == entry.id:
                if twin.value == entry.value or not supersedes(entry, twin):
                    return
                copies.remove(twin)
                self.size -= len(twin.value)
                break
        self.size += len(entry.value)
        self._rank(entry.event, [*copies, entry])
        effects.write(entry.id, entry.value)
        effects.emptied = False

    def remove(self, entry: Entry, effects: Effects) -> None:
        """Take an entry out; of an event with copies, the next best copy then counts."""
        if entry.event in self.copies:
            self._rank(entry.event, [copy for copy in self.copies_of(entry.event) if copy is not entry])
        else:
            del self.entries[entry.event]
            self._unorder(entry.place)
            self._displace(entry)
        self.size -= len(entry.value)
        effects.entries[entry.id] = None
        effects.emptied = self.empty

    def remove_summed_up(self, summed: Entry, effects: Effects) -> None:
        """Take a touchpoint that is in a summary now out of the copies of its event, and its owner's others with it."""
        others = []
        for entry in self.copies_of(summed.event):
            if entry.node == summed.node:
                self.size -= len(entry.value)
                effects.entries[entry.id] = None
            else:
                others.append(entry)
        counted = self.entries.pop(summed.event)
        del self.copies[summed.event]
        if others:
            counts = self.entries[summed.event] = min(others, key=Entry.rank)
            if len(others) > 1:
                self.copies[summed.event] = [entry for entry in others if entry is not counts]
            if counted.node == summed.node:
                insort(self.order, counts.place)

    def _rank(self, event: str, copies: list[Entry]) -> None:
        """Replace the copies of an event, of which there is one before and after: the best is folded."""
        before, after = best_by_owner(self.copies_of(event)), best_by_owner(copies)
        for node, entry in before.items():
            if after.get(node) is not entry:
                self._displace(entry)
        for node, entry in after.items():
            if before.get(node) is not entry:
                insort(self.places.setdefault(node, []), entry.place)
        counted, counts = self.entries[event], min(copies, key=Entry.rank)
        if counts is not counted:
            self._unorder(counted.place)
            self.cached.forget(first_of_its_time(self.order, counts.place))
            insort(self.order, counts.place)
            self.entries[event] = counts
        if len(copies) > 1:
            self.copies[event] = [entry for entry in copies if entry is not counts]
        else:
            self.copies.pop(event, None)

    def copies_of(self, event: str) -> list[Entry]:
        """The touchpoints of an event, that which counts first; none if there are none."""
        counts = self.entries.get(event)
        return [] if counts is None else [counts, *self.copies.get(event, ())]

    def owned_at(self, node: Node, place: Stamp) -> Entry:
        """The entry that a place of an owner stands for."""
        entry = self.entries[place[1]]
        if entry.node == node and entry.occurred_at == place[0]:
            return entry
        copies = self.copies[place[1]]
        return min(
            (copy for copy in copies if copy.node == node and copy.occurred_at == place[0]), key=Entry.rank
        )

    def owned_by(self, node: Node) -> list[Entry]:
        """What an identifier owns in fold order, also the copies of an event that do not count, the better first."""
        if not self.copies:
            return [self.entries[place[1]] for place in self.places.get(node, ())]
        # the order of arrival is another after a restart
        return sorted((entry for entry in self.held() if entry.node == node), key=self._fold_order)

    def up_to(self, node: Node, boundary: Stamp) -> list[Entry]:
        """What an identifier owns up to a place, as `owned_by` says."""
        return [entry for entry in self.owned_by(node) if entry.place <= boundary]

    def _fold_order(self, entry: Entry) -> tuple[Stamp, Rank | None]:
        return entry.place, entry.rank() if entry.event in self.copies else None

    def _unorder(self, place: Stamp) -> None:
        self.cached.forget(first_of_its_time(self.order, place))
        del self.order[bisect_left(self.order, place)]

    def _displace(self, entry: Entry) -> None:
        places = self.places[entry.node]
        del places[bisect_left(places, entry.place)]
        if not places:
            del self.places[entry.node]
