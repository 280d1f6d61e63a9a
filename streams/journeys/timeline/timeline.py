"""One profile's timeline: the set of its touchpoints, and what it knows of identifiers that changed hands.

Touchpoints arrive in any order, more than once, and sometimes at a profile that no longer owns them. Three
inputs change a timeline: a resolved touchpoint, a Move (an identifier changed hands) and a
Transfer (its touchpoints arrive). Each is a set union under versioned assignments, so repeating, delaying or
reordering them changes nothing in the end. An assignment may say that what its identifier did up to some time was
erased (docs/erasure.md): such touchpoints are dropped wherever they turn up.
"""

from dataclasses import dataclass, field, replace

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import FROZEN_SUMMARY, RESOLVED_TOUCHPOINT, TOUCHPOINT
from schemas.encoding.splicing import encode_resolved
from schemas.errors import ContractError, Reason
from schemas.records import IdentityAssignment, JourneyState, ResolvedTouchpoint, Transfer
from schemas.touchpoint.events import SEPARATOR, event_key
from streams.identity.resolution.ownership import erased, must_resend_evidence, node_of, owner_at
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.native_fold import AnyFold
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.block_ends import block_ends, part_an_instant
from streams.journeys.timeline.effects import Effects, cut_into_transfers
from streams.journeys.timeline.entry import Entry, Node, id_of
from streams.journeys.timeline.horizon_summary import HorizonSummary, advance_blocks, join, nothing, read
from streams.journeys.timeline.touchpoint_set import TouchpointSet


@dataclass(slots=True)
class Timeline(TouchpointSet):
    """The touchpoints that one profile owns under the newest assignments that it knows."""

    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)
    version: int = 0  #: of the newest input applied
    settled: bool = False  #: the pointers have been applied since a restart

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
        entry_id = id_of(touchpoint, event, node)
        entry = Entry(touchpoint["occurred_at"], event, node, version, value, entry_id)
        summary = self.summaries.get(node)
        if summary is not None and entry.place <= summary.boundary:
            self._set_summary(summary.arrive_late(event), effects)
        elif self.insert(entry, effects):
            # while it is at hand, decoded
            self.cached.append(touchpoint, resolved["identifier"], len(self.order))

    def move(self, assignment: IdentityAssignment, effects: Effects) -> None:
        """Learn an assignment; transfer what the newest one known gives to others."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            self._send_again(node, known, assignment, effects)
            known = self.pointers[node] = effects.pointers[node] = assignment
        leaving: dict[str, list[Entry]] = {}
        for entry in self.owned_by(node):
            if erased(known, entry.occurred_at):
                effects.gone[entry.event] = None
                self.remove(entry, effects)
            elif entry.version <= known["version"]:
                owner = owner_at(known, entry.occurred_at)
                if owner != self.profile_id:
                    effects.gone[entry.event] = owner
                    leaving.setdefault(owner, []).append(entry)
                    self.remove(entry, effects)
        for owner, entries in leaving.items():
            effects.transfers += cut_into_transfers(self.profile_id, owner, known, entries)
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
        for node, places in sorted(self.places.items()):
            ends = block_ends(places, rules, lambda place: self.owned_at(node, place).text(), self.size)  # noqa: B023
            if ends:
                self._summarise(node, places, ends, catalogue, rules, effects)

    def settle(self, effects: Effects) -> None:
        """Apply every pointer again: after a restart, a zombie's late writes may have put entries back."""
        for pointer in list(self.pointers.values()):
            self.move(pointer, effects)

    def restore_entry(self, entry_id: str, value: bytes | None) -> None:
        """Apply a changelog record of a touchpoint."""
        if value is None:
            gone = self.entry(entry_id)
            if gone is not None:
                self.remove(gone, Effects())
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
            self.insert(entry, Effects())

    def entry(self, entry_id: str) -> Entry | None:
        """The touchpoint under a changelog key, counted or not."""
        event = SEPARATOR.join(entry_id.split(SEPARATOR, 2)[:2])
        return next((entry for entry in self.copies_of(event) if entry.id == entry_id), None)

    def restore_summary(self, node: Node, value: bytes | None) -> None:
        """Apply a changelog record of a summary; a zombie's late write must not take anything away.

        A crash may have come after a summary and before its touchpoints were deleted: they go here.
        """
        if value is None:
            self.summaries.pop(node, None)
        else:
            summary, known = read(FROZEN_SUMMARY.decode(value)), self.summaries.get(node)
            summary = self.summaries[node] = summary if known is None else join(known, summary)
            for entry in self.up_to(node, summary.boundary):
                self.remove(entry, Effects())
        self.cached.forget()

    def restore_pointer(self, assignment: IdentityAssignment) -> None:
        """Apply a changelog record of an assignment."""
        node = node_of(assignment["identifier"])
        known = self.pointers.get(node)
        if known is None or known["version"] < assignment["version"]:
            self.pointers[node] = assignment

    def fold(self, catalogue: Catalogue, rules: JourneyRules) -> AnyFold:
        """The fold over the whole timeline."""
        return self.cached.over(self, catalogue, rules)

    def state(self, catalogue: Catalogue, rules: JourneyRules) -> JourneyState:
        """The journey state to publish."""
        return self.fold(catalogue, rules).state(self.tenant, self.profile_id, self.version, self._late)

    def sealed(self, catalogue: Catalogue, rules: JourneyRules) -> tuple[JourneyState, bytes]:
        """The journey state to publish, as `Fold.sealed` gives it, and its encoding."""
        return self.fold(catalogue, rules).sealed(self.tenant, self.profile_id, self.version, self._late)

    @property
    def _late(self) -> int:
        return sum(summary.late for summary in self.summaries.values())

    def _send_again(
        self, node: Node, known: IdentityAssignment | None, newer: IdentityAssignment, effects: Effects
    ) -> None:
        """Ask for the evidence of touchpoints that were stitched before a correction that is news here."""
        news, old = newer["correction"], None if known is None else known["correction"]
        if news is None or (old is not None and old["version"] >= news["version"]):
            return
        effects.evidence += (
            entry.touchpoint()
            for entry in self.owned_by(node)
            if must_resend_evidence(newer, entry.version, entry.occurred_at)
        )

    def _summarise(
        self, node: Node, all_places: list[Stamp], ends: list[int], catalogue: Catalogue, rules: JourneyRules,
        effects: Effects,
    ) -> None:  # fmt: skip
        places, parted = all_places[: ends[-1]], part_an_instant(all_places, ends)
        summary = self.summaries.get(node, nothing(node))
        fold = summary.unfold(self.tenant, catalogue, rules)
        entries = [self.owned_at(node, place) for place in places]
        touchpoints = [entry.touchpoint() for entry in entries]
        advance_blocks(fold, node, touchpoints, ends)
        version = max(entry.version for entry in entries)
        alone = self.places.keys() | self.summaries.keys() == {node}
        # with one owner, the cached fold is what the new summary would grow into
        if alone and not parted and self.cached.begin_later(len(places)):
            self.order = self.order[len(places) :]
        else:
            gone = {entry.place for entry in entries if self.entries[entry.event] is entry}
            self.order = [place for place in self.order if place not in gone]
            self.cached.forget()
        del self.places[node][: len(places)]
        for entry in entries:
            effects.entries[entry.id] = None
            if entry.event in self.copies:
                self.remove_summed_up(entry, effects)
            else:
                self.size -= len(entry.value)
                del self.entries[entry.event]
        self._set_summary(summary.add(touchpoints, version, fold), effects)

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
            self.cached.forget()
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
        self.cached.forget()
        effects.emptied = False
        for entry in self.up_to(summary.node, joined.boundary):
            joined = joined.arrive_late(entry.event)
            self.remove(entry, effects)
        self._set_summary(joined, effects)

    def _set_summary(self, summary: HorizonSummary, effects: Effects) -> None:
        self.summaries[summary.node] = summary
        effects.write_summary(summary)
