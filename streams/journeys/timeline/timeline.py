"""One profile's timeline: the set of its touchpoints, what it knows of identifiers that changed hands, its fold.

Touchpoints arrive in any order, more than once, and sometimes at a profile that no longer owns them. Three
inputs change a timeline : a resolved touchpoint, a Move (an identifier changed hands) and a
Transfer (its touchpoints arrive). Each is a set union under versioned assignments, so repeating, delaying or
reordering them changes nothing in the end. An assignment may say that what its identifier did up to some time was
erased (docs/erasure.md): such touchpoints are dropped wherever they turn up.

Copies of one event may differ (schemas/touchpoint/events.py). The timeline keeps them all, and folds the one that
counts: when that one leaves, the next comes to count. Only of copies with one owner, one time and one evidence, which
always leave together and prove the same, it keeps the better one alone.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain
from typing import Final

from schemas.catalogue import Catalogue
from schemas.encoding.codec import encode_resolved
from schemas.encoding.record_types import FOLD_SUMMARY, FROZEN_SUMMARY, RESOLVED_TOUCHPOINT, TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.records import IdentityAssignment, JourneyState, ResolvedTouchpoint, Touchpoint, Transfer
from schemas.touchpoint.events import SEPARATOR, Rank, event_key, rank_of
from streams.identity.resolution.ownership import erased, must_resend_evidence, node_of, owner_at
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.published import Publication
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import Owned, advance_all
from streams.journeys.state.signals import Signal
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.bloom_filter import BloomFilter
from streams.journeys.timeline.horizon_summary import (
    HorizonSummary,
    advance_blocks,
    begin,
    block_ends,
    join,
    nothing,
    part_an_instant,
    read,
)

Node = tuple[str, str]


@dataclass(slots=True)
class Entry:
    """A touchpoint on the timeline, encoded: a decoded one takes several times the memory."""

    occurred_at: int
    event: str  #: its event_key
    node: Node  #: the identifier that owns it
    version: int  #: of the assignment under which it is here
    value: bytes  #: the ResolvedTouchpoint
    known_id: str | None = field(default=None, compare=False)
    #: worked out when its event has another copy
    known_rank: Rank | None = field(default=None, compare=False)

    @property
    def place(self) -> Stamp:
        """Where it stands in the fold order."""
        return self.occurred_at, self.event

    @property
    def id(self) -> str:
        """Its key in the changelog: entries with the same one take each other's place."""
        if self.known_id is None:
            self.known_id = _id_of(self.touchpoint(), self.event, self.node)
        return self.known_id

    def rank(self) -> Rank:
        """Where it stands among the copies of its event."""
        if self.known_rank is None:
            self.known_rank = rank_of(self.touchpoint())
        return self.known_rank

    def touchpoint(self) -> Touchpoint:
        """The touchpoint, decoded."""
        return RESOLVED_TOUCHPOINT.decode_trusted(self.value)["touchpoint"]


#: Who comes too late by fewer touchpoints than this need not wait for a fold from the beginning, the second time.
REST: Final = 32


@dataclass(slots=True)
class Effects:
    """What a change to a timeline asks of the world."""

    forwards: list[tuple[str, bytes]] = field(default_factory=list)  #: owner, ResolvedTouchpoint
    transfers: list[Transfer] = field(default_factory=list)
    entries: dict[str, bytes | None] = field(default_factory=dict)  #: changelog: entry id → value or gone
    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)  #: changelog: newest assignments
    summaries: dict[Node, HorizonSummary | None] = field(
        default_factory=dict
    )  #: changelog: summaries; None is gone
    evidence: list[Touchpoint] = field(default_factory=list)  #: whose links identity must see once more
    emptied: bool = False  #: the last touchpoint left
    gone: dict[str, str | None] = field(default_factory=dict)  #: event → who has it now; None: it was erased
    #: the same of summaries, by the filter that knows their events
    gone_summaries: list[tuple[BloomFilter, str | None]] = field(default_factory=list)


@dataclass(slots=True)
class Timeline:
    """The touchpoints of one profile; `order` is the fold order, (occurred_at, event_id, source)."""

    tenant: str
    profile_id: str
    entries: dict[str, Entry] = field(default_factory=dict)  #: by event, the copy that counts
    copies: dict[str, list[Entry]] = field(default_factory=dict)  #: by event, the copies that do not, if any
    order: list[Stamp] = field(default_factory=list)
    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)
    #: by owner, the order of its own touchpoints: of each event the copy that would count if there were no other owners
    places: dict[Node, list[Stamp]] = field(default_factory=dict)
    summaries: dict[Node, HorizonSummary] = field(
        default_factory=dict
    )  #: what is beyond the horizon, by owner
    version: int = 0  #: of the newest input applied
    #: signals that hold as far as subscribers know; None: to be worked out, after a restart or when nobody asked lately
    published: dict[str, Signal] | None = None
    recalled: bool = False  #: that was worked out since a restart
    unconfirmed: bool = False  #: nobody knows what subscribers have heard: tell them all that holds
    last: Publication | None = None  #: when they were told last
    settled: bool = False  #: the pointers have been applied since a restart
    path: RecentPath | None = (
        None  #: for predictions, where the journey stands; None: to be read from its touchpoints
    )
    _fold: Fold | None = None
    _folded: int = 0  #: how many of `order` the fold has seen
    _rest: tuple[int, bytes] | None = None  #: a fold over the first so many of `order`, written down

    def accept(self, resolved: ResolvedTouchpoint, value: bytes, effects: Effects) -> None:
        """Take a touchpoint, or forward it when a newer assignment than its own names another owner."""
        touchpoint = resolved["touchpoint"]
        node = node_of(resolved["identifier"])
        version = resolved["version"]
        pointer = self.pointers.get(node)
        if pointer is not None and erased(pointer, touchpoint["occurred_at"]):
            return
        if must_resend_evidence(pointer, version, touchpoint["occurred_at"]):
            effects.evidence.append(touchpoint)
        if pointer is not None and pointer["version"] > version:
            version = pointer["version"]
            owner = owner_at(pointer, touchpoint["occurred_at"])
            value = encode_resolved(resolved["identifier"], owner, version, TOUCHPOINT.encode(touchpoint))
            if owner != self.profile_id:
                effects.forwards.append((owner, value))
                return
        event = event_key(touchpoint)
        entry_id = _id_of(touchpoint, event, node)
        entry = Entry(touchpoint["occurred_at"], event, node, version, value, entry_id)
        summary = self.summaries.get(node)
        if summary is not None and entry.place <= summary.boundary:
            self._set_summary(summary.arrive_late(entry.event), effects)
        elif self._insert(entry, effects) and self._fold is not None and self._folded == len(self.order) - 1:
            self._fold.advance(touchpoint, resolved["identifier"])  # while it is at hand, decoded
            self._folded += 1

    def move(self, assignment: IdentityAssignment, effects: Effects) -> None:
        """Learn an assignment; transfer what the newest one known gives to others."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            self._send_again(node, known, assignment, effects)
            known = self.pointers[node] = effects.pointers[node] = assignment
        leaving: dict[str, list[Entry]] = {}
        for entry in self.held():
            if entry.node != node:
                continue
            if erased(known, entry.occurred_at):
                effects.gone[entry.event] = None
                self._remove(entry, effects)
            elif entry.version <= known["version"]:
                owner = owner_at(known, entry.occurred_at)
                if owner != self.profile_id:
                    effects.gone[entry.event] = owner
                    leaving.setdefault(owner, []).append(entry)
                    self._remove(entry, effects)
        for owner, entries in leaving.items():
            effects.transfers += _transfers(self.profile_id, owner, known, entries)
        summary = self.summaries.get(node)
        if summary is not None and (erased(known, summary.first_seen) or summary.version <= known["version"]):
            self._pass_on(summary, known, effects)

    def receive(self, transfer: Transfer, effects: Effects) -> None:
        """Take the touchpoints of a Transfer under the newer of its assignment and our own."""
        assignment = transfer["assignment"]
        summary = None if transfer["frozen"] is None else read(transfer["frozen"])
        if summary is not None and summary.node != node_of(assignment["identifier"]):
            raise ContractError(Reason.INVALID, "the summary is another identifier's than the Transfer's")
        self.move(assignment, effects)
        for touchpoint in transfer["touchpoints"]:
            resolved = ResolvedTouchpoint(
                identifier=assignment["identifier"], profile_id=self.profile_id,
                version=assignment["version"], touchpoint=touchpoint,
            )  # fmt: skip
            self.accept(resolved, RESOLVED_TOUCHPOINT.encode(resolved), effects)
        if summary is not None:
            self._pass_on(summary, self.pointers[summary.node], effects)

    def summarise(self, catalogue: Catalogue, rules: JourneyRules, effects: Effects) -> None:
        """Sum up what is beyond the horizon; after all inputs of a fetch, before the state is taken."""
        for node, places in list(self.places.items()):
            ends = block_ends(places, rules)
            if ends:
                self._summarise(node, places, ends, catalogue, rules, effects)

    def _send_again(
        self, node: Node, known: IdentityAssignment | None, newer: IdentityAssignment, effects: Effects
    ) -> None:
        """Ask for the evidence of touchpoints that were stitched before a correction that is news here."""
        news, old = newer["correction"], None if known is None else known["correction"]
        if news is None or (old is not None and old["version"] >= news["version"]):
            return
        effects.evidence += (
            entry.touchpoint()
            for entry in self.held()
            if entry.node == node and must_resend_evidence(newer, entry.version, entry.occurred_at)
        )

    def _summarise(
        self, node: Node, all_places: list[Stamp], ends: list[int], catalogue: Catalogue, rules: JourneyRules,
        effects: Effects,
    ) -> None:  # fmt: skip
        places, parted = all_places[: ends[-1]], part_an_instant(all_places, ends)
        summary = self.summaries.get(node, nothing(node))
        fold = summary.unfold(self.tenant, catalogue, rules)
        entries = [self._owned(node, place) for place in places]
        touchpoints = [entry.touchpoint() for entry in entries]
        advance_blocks(fold, node, touchpoints, ends)
        version = max(entry.version for entry in entries)
        alone = self.places.keys() | self.summaries.keys() == {node}
        if alone and not parted and self._fold is not None and self._folded >= len(places):
            # its fold is what the new summary would grow into
            self.order, self._folded, self._rest = self.order[len(places) :], self._folded - len(places), None
        else:
            gone = {entry.place for entry in entries if self.entries[entry.event] is entry}
            self.order = [place for place in self.order if place not in gone]
            self._unfold()
        del self.places[node][: len(places)]
        for entry in entries:
            effects.entries[entry.id] = None
            if entry.event in self.copies:
                self._summarise_copies(entry, effects)
            else:
                del self.entries[entry.event]
        self._set_summary(summary.add(touchpoints, version, fold), effects)

    def _summarise_copies(self, summed: Entry, effects: Effects) -> None:
        """Take a touchpoint that is in a summary now out of the copies of its event, and its owner's others with it."""
        others = []
        for entry in self._copies_of(summed.event):
            if entry.node == summed.node:
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

    def _pass_on(self, summary: HorizonSummary, known: IdentityAssignment, effects: Effects) -> None:
        """Hand a summary to the owner that an assignment names, or keep it. A cut inside it cannot divide it."""
        owner = owner_at(known, summary.first_seen)
        if not erased(known, summary.first_seen) and owner == self.profile_id:
            self._take(replace(summary, version=known["version"]), effects)
            return
        if self.summaries.pop(summary.node, None) is not None:
            effects.gone_summaries.append(
                (summary.seen, None if erased(known, summary.first_seen) else owner)
            )
            effects.summaries[summary.node] = None
            self._unfold()
            effects.emptied = self.empty
        if not erased(known, summary.first_seen):
            effects.transfers.append(
                Transfer(
                    profile_id=owner, from_profile_id=self.profile_id, assignment=known, touchpoints=[],
                    frozen=summary.record(),
                )
            )  # fmt: skip

    def _take(self, summary: HorizonSummary, effects: Effects) -> None:
        """Join a summary with what is here; what it makes late is in it already, or counts as late."""
        known = self.summaries.get(summary.node)
        joined = summary if known is None else join(known, summary)
        if joined == known:
            return
        self._unfold()
        effects.emptied = False
        for entry in self._up_to(summary.node, joined.boundary):
            joined = joined.arrive_late(entry.event)
            self._remove(entry, effects)
        self._set_summary(joined, effects)

    def _set_summary(self, summary: HorizonSummary, effects: Effects) -> None:
        self.summaries[summary.node] = effects.summaries[summary.node] = summary

    def settle(self, effects: Effects) -> None:
        """Apply every pointer again: after a restart, a zombie's late writes may have put entries back."""
        for pointer in list(self.pointers.values()):
            self.move(pointer, effects)

    def restore_entry(self, entry_id: str, value: bytes | None) -> None:
        """Apply a changelog record of a touchpoint."""
        if value is None:
            event = SEPARATOR.join(entry_id.split(SEPARATOR, 2)[:2])
            for entry in self._copies_of(event):
                if entry.id == entry_id:
                    self._remove(entry, Effects())
            return
        resolved: ResolvedTouchpoint = RESOLVED_TOUCHPOINT.decode(value)
        entry = Entry(
            resolved["touchpoint"]["occurred_at"],
            event_key(resolved["touchpoint"]),
            node_of(resolved["identifier"]),
            resolved["version"],
            value,
        )
        summary = self.summaries.get(entry.node)
        if summary is None or entry.place > summary.boundary:
            self._insert(entry, Effects())

    def restore_summary(self, node: Node, value: bytes | None) -> None:
        """Apply a changelog record of a summary; a zombie's late write must not take anything away.

        A crash may have come after a summary and before its touchpoints were deleted: they go here.
        """
        if value is None:
            self.summaries.pop(node, None)
        else:
            summary, known = read(FROZEN_SUMMARY.decode(value)), self.summaries.get(node)
            summary = self.summaries[node] = summary if known is None else join(known, summary)
            for entry in self._up_to(node, summary.boundary):
                self._remove(entry, Effects())
        self._unfold()

    def restore_pointer(self, assignment: IdentityAssignment) -> None:
        """Apply a changelog record of an assignment."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            self.pointers[node] = assignment

    def fold(self, catalogue: Catalogue, rules: JourneyRules) -> Fold:
        """The fold over the whole timeline: what is new at the end is appended, anything else folds again."""
        fold, resting = self._fold, len(self.order)
        if fold is None:
            if self._rest is not None:
                self._folded = self._rest[0]
                fold = Fold.load(FOLD_SUMMARY.decode_trusted(self._rest[1]), self.tenant, catalogue, rules)
            else:
                fold, self._folded = self._begin(catalogue, rules)
            if len(self.order) - self._folded > 2 * REST:
                resting -= REST
            self._fold = fold
        if resting < len(self.order):
            resting = self._begins(self.order[resting])
            advance_all(fold, self._touchpoints(self._folded, resting))
            self._rest, self._folded = (resting, FOLD_SUMMARY.encode(fold.dump())), resting
        advance_all(fold, self._touchpoints(self._folded, len(self.order)))
        self._folded = len(self.order)
        return fold

    def _touchpoints(self, start: int, end: int) -> Iterator[Owned]:
        """The touchpoints from one place in `order` to another, decoded, with their owners."""
        for place in self.order[start:end]:
            entry = self.entries[place[1]]
            yield entry.touchpoint(), {"type": entry.node[0], "value": entry.node[1]}

    def _begins(self, place: Stamp) -> int:
        """Where in `order` the touchpoints begin that are as old as the one at `place`: they are folded together."""
        return bisect_left(self.order, (place[0],))

    def state(self, catalogue: Catalogue, rules: JourneyRules) -> JourneyState:
        """The journey state to publish."""
        return self.fold(catalogue, rules).state(self.tenant, self.profile_id, self.version, self._late)

    def sealed(self, catalogue: Catalogue, rules: JourneyRules) -> tuple[JourneyState, bytes]:
        """The journey state to publish, as `Fold.sealed` gives it, and its encoding."""
        return self.fold(catalogue, rules).sealed(self.tenant, self.profile_id, self.version, self._late)

    @property
    def _late(self) -> int:
        return sum(summary.late for summary in self.summaries.values())

    def put(self, entries: list[Entry]) -> None:
        """Fill an empty timeline with touchpoints that were on it before."""
        entries.sort(key=lambda entry: entry.place)
        copies = []
        for entry in entries:
            if entry.event in self.entries:
                copies.append(entry)
                continue
            place = entry.place
            self.entries[entry.event] = entry
            self.order.append(place)
            self.places.setdefault(entry.node, []).append(place)
        for entry in copies:
            self._insert(entry, Effects())

    def held(self) -> list[Entry]:
        """All touchpoints, also the copies of an event that do not count."""
        if not self.copies:
            return list(self.entries.values())
        return [*self.entries.values(), *chain.from_iterable(self.copies.values())]

    def folded(self) -> tuple[Fold, int] | None:
        """The fold as far as it goes, for `resume_fold`."""
        return None if self._fold is None else (self._fold, self._folded)

    def rest(self) -> tuple[int, bytes] | None:
        """A fold that was written down, for `resume_fold`."""
        return self._rest

    def resume_fold(self, folded: tuple[Fold, int] | None, rest: tuple[int, bytes] | None) -> None:
        """Go on with what `folded` and `rest` gave for these touchpoints."""
        self._rest = rest
        if folded is not None:
            self._fold, self._folded = folded

    @property
    def empty(self) -> bool:
        """Whether nothing is left: no touchpoint and no summary."""
        return not self.entries and not self.summaries

    def _begin(self, catalogue: Catalogue, rules: JourneyRules) -> tuple[Fold, int]:
        """The fold to start from, and how many of `order` are in it."""
        if not self.summaries:
            return Fold(catalogue, rules), 0
        folds = {
            node: summary.unfold(self.tenant, catalogue, rules) for node, summary in self.summaries.items()
        }
        older = bisect_right(self.order, max(summary.boundary for summary in self.summaries.values()))
        entries = [self.entries[event] for _, event in self.order[:older]]
        return begin(folds, ((e.node, e.touchpoint()) for e in entries), catalogue, rules), older

    def _insert(self, entry: Entry, effects: Effects) -> bool:
        """Put an entry in its place; False if its event is there already, and a fold cannot just go on."""
        if entry.event in self.entries:
            self._insert_copy(entry, effects)
            return False
        place = entry.place
        if self.order and place < self.order[-1]:
            self._unfold(self._begins(place))
            insort(self.order, place)
        else:
            if self.order and place[0] == self.order[-1][0]:
                self._unfold(self._begins(place))
            self.order.append(place)
            if any(place <= summary.boundary for summary in self.summaries.values()):
                self._unfold()
        insort(self.places.setdefault(entry.node, []), place)
        self.entries[entry.event] = entry
        effects.entries[entry.id] = entry.value
        effects.emptied = False
        return True

    def _insert_copy(self, entry: Entry, effects: Effects) -> None:
        """Put an entry among the copies of its event, unless one with its owner, time and evidence is better."""
        copies = self._copies_of(entry.event)
        for twin in copies:
            if twin.id == entry.id:
                if twin.value == entry.value or not _supersedes(entry, twin):
                    return
                copies.remove(twin)
                break
        self._rank(entry.event, [*copies, entry])
        effects.entries[entry.id] = entry.value
        effects.emptied = False

    def _remove(self, entry: Entry, effects: Effects) -> None:
        if entry.event in self.copies:
            self._rank(entry.event, [copy for copy in self._copies_of(entry.event) if copy is not entry])
        else:
            del self.entries[entry.event]
            self._unorder(entry.place)
            self._displace(entry)
        effects.entries[entry.id] = None
        effects.emptied = self.empty

    def _rank(self, event: str, copies: list[Entry]) -> None:
        """Replace the copies of an event, of which there is one before and after: the best is folded."""
        before, after = _best_by_owner(self._copies_of(event)), _best_by_owner(copies)
        for node, entry in before.items():
            if after.get(node) is not entry:
                self._displace(entry)
        for node, entry in after.items():
            if before.get(node) is not entry:
                insort(self.places.setdefault(node, []), entry.place)
        counted, counts = self.entries[event], min(copies, key=Entry.rank)
        if counts is not counted:
            self.path = None  # it has seen the other
            self._unorder(counted.place)
            self._unfold(self._begins(counts.place))
            insort(self.order, counts.place)
            self.entries[event] = counts
        if len(copies) > 1:
            self.copies[event] = [entry for entry in copies if entry is not counts]
        else:
            self.copies.pop(event, None)

    def _copies_of(self, event: str) -> list[Entry]:
        """The touchpoints of an event, that which counts first; none if there are none."""
        counts = self.entries.get(event)
        return [] if counts is None else [counts, *self.copies.get(event, ())]

    def _owned(self, node: Node, place: Stamp) -> Entry:
        """The entry that a place of an owner stands for."""
        entry = self.entries[place[1]]
        if entry.node == node and entry.occurred_at == place[0]:
            return entry
        copies = self.copies[place[1]]
        return min(
            (copy for copy in copies if copy.node == node and copy.occurred_at == place[0]), key=Entry.rank
        )

    def _up_to(self, node: Node, boundary: Stamp) -> list[Entry]:
        """What an identifier owns up to a place."""
        if not self.copies:
            return [self.entries[place[1]] for place in self.places.get(node, ()) if place <= boundary]
        return [entry for entry in self.held() if entry.node == node and entry.place <= boundary]

    def _unorder(self, place: Stamp) -> None:
        self._unfold(self._begins(place))
        del self.order[bisect_left(self.order, place)]

    def _displace(self, entry: Entry) -> None:
        places = self.places[entry.node]
        del places[bisect_left(places, entry.place)]
        if not places:
            del self.places[entry.node]

    def _unfold(self, index: int = 0) -> None:
        """Forget the fold from a place in `order` on."""
        self._fold = None
        if self._rest is not None and index < self._rest[0]:
            self._rest = None


#: Touchpoints in one Transfer: far below the broker's record limit at the usual few hundred bytes each.
TRANSFER_TOUCHPOINTS = 256
TRANSFER_BYTES = 512 * 1024


def _transfers(
    sender: str, owner: str, assignment: IdentityAssignment, entries: list[Entry]
) -> list[Transfer]:
    """Cut touchpoints into Transfers that fit a record."""
    transfers: list[Transfer] = []
    size = TRANSFER_BYTES
    for entry in sorted(entries, key=lambda item: item.place):
        length = len(entry.value)
        size += length
        if size > TRANSFER_BYTES or len(transfers[-1]["touchpoints"]) >= TRANSFER_TOUCHPOINTS:
            transfers.append(
                Transfer(
                    profile_id=owner,
                    from_profile_id=sender,
                    assignment=assignment,
                    touchpoints=[],
                    frozen=None,
                )
            )
            size = length
        transfers[-1]["touchpoints"].append(entry.touchpoint())
    return transfers


def _id_of(touchpoint: Touchpoint, event: str, node: Node) -> str:
    """The event, the time, the owner and a digest of the evidence: what the owner is linked with, and how."""
    carried = touchpoint["identifiers"]
    proof = ""
    if len(carried) > 1:
        names = [part for one in carried for part in (one["type"], one["value"])]
        proof = blake2b("\0".join((touchpoint["link"], *names)).encode(), digest_size=8).hexdigest()
    return f"{event}\0{touchpoint['occurred_at']}\0{node[0]}\0{node[1]}\0{proof}"


def _best_by_owner(copies: list[Entry]) -> dict[Node, Entry]:
    """Of each owner the copy that would count if there were no other owners."""
    best: dict[Node, Entry] = {}
    for entry in copies:
        known = best.get(entry.node)
        if known is None or entry.rank() < known.rank():
            best[entry.node] = entry
    return best


def _supersedes(entry: Entry, twin: Entry) -> bool:
    """Whether an entry replaces one with the same id: a better copy, or a newer version of it."""
    if entry.rank() != twin.rank():
        return entry.rank() < twin.rank()
    return entry.version > twin.version
