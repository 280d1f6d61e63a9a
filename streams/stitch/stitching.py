"""The owner of a touchpoint and its new evidence: the pure part of the stitch agent.

A touchpoint links its strongest usable identifier to each of its others. Stitch sends only new evidence: a pair
that was never seen, seen only at a later event time, or never asserted. A correction splits an identifier's evidence
into intervals of event time. Stitch sends a link once per interval, and once more after each correction
(streams/identity/resolution/corrections.py gives the reason).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_LINK
from schemas.keys import identifier_key
from schemas.records import (
    Identifier,
    IdentityAssignment,
    IdentityCorrection,
    IdentityLink,
    Touchpoint,
)
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.links import link_key
from streams.identity.resolution.ownership import NO_VERSION, node_of
from streams.runtime.native_core import chosen_core
from streams.stitch.compact_assignment import (
    CompactAssignment,
    compact,
    correction_of,
    owner_of,
    version_of,
    was_erased,
)

#: A request that takes longer (ms) to arrive comes from a file of past events.
REQUEST_DELAY_MS: Final = 24 * 60 * 60 * 1000

#: For at most this many identifiers a substring search over all keys is faster than parsing every key.
_NEEDLES: Final = 4


def erasures_of(touchpoint: Touchpoint) -> Iterator[IdentityCorrection]:
    """The erasures that an erasure_requested touchpoint asks for: one for each identifier.

    An erasure covers everything received before the request; nothing is dated after its reception
    (streams/identity/policy/prepare.py). A request that was received more than REQUEST_DELAY_MS after it was made is
    history: it erases up to its own event time.
    """
    received_at, until = touchpoint["received_at"], touchpoint["occurred_at"]
    if received_at - until <= REQUEST_DELAY_MS:
        until = received_at
    for identifier in touchpoint["identifiers"]:
        yield IdentityCorrection(
            tenant=touchpoint["tenant"], kind="ERASE", left=identifier, right=None,
            occurred_at=until, event_id=touchpoint["event_id"], source=touchpoint["source"],
        )  # fmt: skip


@dataclass(slots=True)
class StitchState:
    """The state of one stitch partition: the newest assignments, and the evidence sent to identity."""

    assignments: dict[bytes, CompactAssignment] = field(default_factory=dict)
    #: link key and interval between cuts → earliest event time sent, UTC ms
    evidence: dict[bytes, int] = field(default_factory=dict)

    def knows_all(self, keys: Iterable[bytes]) -> bool:
        """Whether each of these identifiers has an assignment."""
        return all(key in self.assignments for key in keys)

    def erased(self, key: bytes, occurred_at: int) -> bool:
        """Whether the identifier's touchpoints of an event time (UTC ms) are erased."""
        return was_erased(self.assignments.get(key), occurred_at)

    def owner(
        self, key: bytes, tenant: str, identifier: Identifier, occurred_at: int
    ) -> tuple[str, int] | None:
        """The owner at an event time (UTC ms), and the version of its assignment; None if the touchpoint is erased.

        `key` is the identifier's.
        """
        known = self.assignments.get(key)
        if known is None:
            return own_profile(tenant, node_of(identifier)), NO_VERSION
        if was_erased(known, occurred_at):
            return None
        return owner_of(known, tenant, node_of(identifier), occurred_at), version_of(known)

    def learn(self, link: IdentityLink, owner: Identifier) -> bytes | None:
        """Record a link of a touchpoint that `owner` owns. Returns its key if it is new evidence, else None."""
        key = link_key(link) + self._interval(link, owner)
        return key if self.note_sent(key, link["occurred_at"]) else None

    def note_sent(self, key: bytes, occurred_at: int) -> bool:
        """Record that evidence is sent with an event time (UTC ms). Returns whether that is new."""
        known = self.evidence.get(key)
        if known is not None and known <= occurred_at:
            return False
        self.evidence[key] = occurred_at
        return True

    def _interval(self, link: IdentityLink, owner: Identifier) -> bytes:
        """The interval between cuts of the owner's evidence in which a link lies; empty before the first cut."""
        correction = correction_of(self.assignments.get(identifier_key(link["tenant"], owner)))
        cuts_before = 0 if correction is None else bisect_left(correction["cuts"], link["occurred_at"])
        if correction is None or cuts_before == 0:
            return b""
        return f"\x1f{correction['version']}\x1f{cuts_before}".encode()

    def forget_evidence(self, nodes: set[tuple[str, Node]]) -> list[bytes]:
        """Forget the sent evidence of (tenant, identifier) nodes whose evidence was cut. Returns its keys."""
        if len(nodes) > _NEEDLES:
            found = [key for key in self.evidence if not nodes.isdisjoint(_ends(key))]
        else:
            near = {
                key
                for _, node in nodes
                for key in _holding(f"\x1f{node[0]}\x1f{node[1]}\x1f".encode(), self.evidence)
            }
            found = [key for key in near if not nodes.isdisjoint(_ends(key))]
        for key in found:
            del self.evidence[key]
        return found

    def assign(self, key: bytes, assignment: IdentityAssignment) -> bool:
        """Store an assignment if it is newer than the known one. Returns whether it is."""
        known = self.assignments.get(key)
        if known is not None and version_of(known) >= assignment["version"]:
            return False
        self.assignments[key] = compact(assignment)
        return True

    def unassign(self, key: bytes) -> None:
        """Forget an identifier's assignment."""
        self.assignments.pop(key, None)

    def sizes(self) -> dict[str, int]:
        """What it holds, by kind."""
        return {"assignments": len(self.assignments), "evidence": len(self.evidence)}

    def restore_some(self, records: list[Any], start: int) -> int:
        """Apply changelog records from `start` on in the native core; returns the place of the first that it left."""
        core = chosen_core()
        return (
            start
            if core is None
            else int(core.restore_stitch(records, start, self.assignments, self.evidence))
        )

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        if key.startswith(b"~"):
            if value is None:
                self.evidence.pop(key, None)
            else:
                sent = IDENTITY_LINK.decode(value)["occurred_at"]
                self.evidence[key] = min(sent, self.evidence.get(key, sent))
        elif value is None:
            self.unassign(key)
        else:
            self.assign(key, IDENTITY_ASSIGNMENT.decode(value))

    def restored(self) -> None:
        """Nothing to finish."""

    def caught_up(self) -> None:
        """Nothing to do."""


def _holding(needle: bytes, keys: Iterable[bytes]) -> list[bytes]:
    return [key for key in keys if needle in key]


def _ends(key: bytes) -> tuple[tuple[str, Node], tuple[str, Node]]:
    tenant, left_type, left_value, right_type, right_value = key[1:].decode().split("\x1f")[:5]
    return (tenant, (left_type, left_value)), (tenant, (right_type, right_value))
