"""One profile's timeline: the set of its touchpoints, what it knows of identifiers that changed hands, its fold.

Touchpoints arrive in any order, more than once, and sometimes at a profile that no longer owns them. Three
inputs change a timeline (DESIGN section 5): a resolved touchpoint, a Move (an identifier changed hands) and a
Transfer (its touchpoints arrive). Each is a set union under versioned assignments, so repeating, delaying or
reordering them changes nothing in the end.
"""

from bisect import insort
from dataclasses import dataclass, field

from schemas.catalogue import Catalogue
from schemas.codec import decode_as, encode, encode_resolved
from schemas.records import IdentityAssignment, JourneyState, ResolvedTouchpoint, Touchpoint, Transfer
from streams.journeys.fold import Fold
from streams.journeys.rules import JourneyRules
from streams.journeys.signals import Signal
from streams.ownership import node_of, owner_at

Node = tuple[str, str]


@dataclass(slots=True)
class Entry:
    """A touchpoint on the timeline, encoded: a decoded one takes several times the memory."""

    occurred_at: int
    event_id: str
    node: Node  #: the identifier that owns it
    version: int  #: of the assignment under which it is here
    value: bytes  #: the ResolvedTouchpoint


@dataclass(slots=True)
class Effects:
    """What a change to a timeline asks of the world."""

    forwards: list[tuple[str, bytes]] = field(default_factory=list)  #: owner, ResolvedTouchpoint
    transfers: list[Transfer] = field(default_factory=list)
    entries: dict[str, bytes | None] = field(default_factory=dict)  #: changelog: event id → value or gone
    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)  #: changelog: newest assignments
    emptied: bool = False  #: the last touchpoint left


@dataclass(slots=True)
class Timeline:
    """The touchpoints of one profile; `order` is the fold order, (occurred_at, event_id)."""

    tenant: str
    profile_id: str
    entries: dict[str, Entry] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)
    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)
    version: int = 0  #: of the newest input applied
    published: dict[str, Signal] | None = (
        None  #: signals that hold as far as subscribers know; None after a restart
    )
    unconfirmed: bool = False  #: a restart came in between: subscribers may not have heard of them
    _fold: Fold | None = None
    _folded: int = 0  #: how many of `order` the fold has seen

    def accept(self, resolved: ResolvedTouchpoint, value: bytes, effects: Effects) -> None:
        """Take a touchpoint, or forward it when a newer assignment than its own names another owner."""
        touchpoint = resolved["touchpoint"]
        node = node_of(resolved["identifier"])
        version = resolved["version"]
        pointer = self.pointers.get(node)
        if pointer is not None and pointer["version"] > version:
            version = pointer["version"]
            owner = owner_at(pointer, touchpoint["occurred_at"])
            value = encode_resolved(resolved["identifier"], owner, version, encode("Touchpoint", touchpoint))
            if owner != self.profile_id:
                effects.forwards.append((owner, value))
                return
        self._insert(Entry(touchpoint["occurred_at"], touchpoint["event_id"], node, version, value), effects)

    def move(self, assignment: IdentityAssignment, effects: Effects) -> None:
        """Learn an assignment; transfer what the newest one known gives to others."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            known = self.pointers[node] = effects.pointers[node] = assignment
        leaving: dict[str, list[Touchpoint]] = {}
        for entry in list(self.entries.values()):
            if entry.node == node and entry.version <= known["version"]:
                owner = owner_at(known, entry.occurred_at)
                if owner != self.profile_id:
                    leaving.setdefault(owner, []).append(_touchpoint(entry.value))
                    self._remove(entry, effects)
        for owner, touchpoints in leaving.items():
            effects.transfers += _transfers(self.profile_id, owner, known, touchpoints)

    def receive(self, transfer: Transfer, effects: Effects) -> None:
        """Take the touchpoints of a Transfer under the newer of its assignment and our own."""
        assignment = transfer["assignment"]
        self.move(assignment, effects)
        for touchpoint in transfer["touchpoints"]:
            resolved = ResolvedTouchpoint(
                identifier=assignment["identifier"], profile_id=self.profile_id,
                version=assignment["version"], touchpoint=touchpoint,
            )  # fmt: skip
            self.accept(resolved, encode("ResolvedTouchpoint", resolved), effects)

    def settle(self, effects: Effects) -> None:
        """Apply every pointer again: after a restart, a zombie's late writes may have put entries back."""
        for pointer in list(self.pointers.values()):
            self.move(pointer, effects)

    def restore_entry(self, event_id: str, value: bytes | None) -> None:
        """Apply a changelog record of a touchpoint."""
        if value is None:
            if event_id in self.entries:
                self._remove(self.entries[event_id], Effects())
            return
        resolved: ResolvedTouchpoint = decode_as("ResolvedTouchpoint", value)  # type: ignore[assignment]
        entry = Entry(
            resolved["touchpoint"]["occurred_at"],
            event_id,
            node_of(resolved["identifier"]),
            resolved["version"],
            value,
        )
        self._insert(entry, Effects())

    def restore_pointer(self, assignment: IdentityAssignment) -> None:
        """Apply a changelog record of an assignment."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            self.pointers[node] = assignment

    def fold(self, catalogue: Catalogue, rules: JourneyRules) -> Fold:
        """The fold over the whole timeline: what is new at the end is appended, anything else folds again."""
        if self._fold is None:
            self._fold, self._folded = Fold(catalogue, rules), 0
        for _, event_id in self.order[self._folded :]:
            entry = self.entries[event_id]
            self._fold.advance(_touchpoint(entry.value), {"type": entry.node[0], "value": entry.node[1]})
        self._folded = len(self.order)
        return self._fold

    def state(self, catalogue: Catalogue, rules: JourneyRules) -> JourneyState:
        """The journey state to publish."""
        return self.fold(catalogue, rules).state(self.tenant, self.profile_id, self.version)

    def _insert(self, entry: Entry, effects: Effects) -> None:
        known = self.entries.get(entry.event_id)
        if known is not None:
            if known.value == entry.value or not _supersedes(entry, known):
                return
            self._remove(known, effects)
        place = (entry.occurred_at, entry.event_id)
        if self.order and place < self.order[-1]:
            insort(self.order, place)
            self._fold = None
        else:
            self.order.append(place)
        self.entries[entry.event_id] = entry
        effects.entries[entry.event_id] = entry.value
        effects.emptied = False

    def _remove(self, entry: Entry, effects: Effects) -> None:
        del self.entries[entry.event_id]
        self.order.remove((entry.occurred_at, entry.event_id))
        self._fold = None
        effects.entries[entry.event_id] = None
        effects.emptied = not self.entries


#: Touchpoints in one Transfer: far below the broker's record limit at the usual few hundred bytes each.
TRANSFER_TOUCHPOINTS = 256
TRANSFER_BYTES = 512 * 1024


def _transfers(
    sender: str, owner: str, assignment: IdentityAssignment, touchpoints: list[Touchpoint]
) -> list[Transfer]:
    """Cut touchpoints into Transfers that fit a record."""
    transfers: list[Transfer] = []
    size = TRANSFER_BYTES
    for touchpoint in sorted(touchpoints, key=lambda item: (item["occurred_at"], item["event_id"])):
        length = len(encode("Touchpoint", touchpoint))
        size += length
        if size > TRANSFER_BYTES or len(transfers[-1]["touchpoints"]) >= TRANSFER_TOUCHPOINTS:
            transfers.append(
                Transfer(profile_id=owner, from_profile_id=sender, assignment=assignment, touchpoints=[])
            )
            size = length
        transfers[-1]["touchpoints"].append(touchpoint)
    return transfers


def _touchpoint(value: bytes) -> Touchpoint:
    return decode_as("ResolvedTouchpoint", value)["touchpoint"]  # type: ignore[no-any-return]


def preferred(one: Touchpoint, other: Touchpoint) -> Touchpoint:
    """Of two touchpoints with one event id, the one that counts: the same for any order of arrival.

    Copies of an event may differ in when they were received; the smallest encoding wins.
    """
    return min(one, other, key=lambda touchpoint: encode("Touchpoint", touchpoint))


def _supersedes(entry: Entry, known: Entry) -> bool:
    """Whether an entry replaces one with the same event id: other content that is preferred, or a newer version."""
    new, old = _touchpoint(entry.value), _touchpoint(known.value)
    if new != old:
        return preferred(new, old) is new
    return entry.version > known.version
