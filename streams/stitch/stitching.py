"""Which profile a touchpoint belongs to, and what it proves: the pure part of the stitch agent.

A touchpoint links its strongest usable identifier to each of its others. Only evidence that is new goes on:
a pair never seen, or seen only at a later event time, or never asserted before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.codec import decode
from schemas.keys import identifier_key
from schemas.records import Identifier, IdentityAssignment, IdentityLink, Touchpoint
from streams.identity.resolution import own_profile
from streams.ownership import NO_VERSION, node_of, owner_at


def links_of(touchpoint: Touchpoint, usable: list[Identifier]) -> Iterator[IdentityLink]:
    """The evidence a touchpoint carries: its strongest identifier with each of the others."""
    strongest = usable[0]
    for other in usable[1:]:
        left, right = sorted((strongest, other), key=node_of)
        yield IdentityLink(
            tenant=touchpoint["tenant"], left=left, right=right, occurred_at=touchpoint["occurred_at"],
            kind=touchpoint["link"], event_id=touchpoint["event_id"], source=touchpoint["source"],
        )  # fmt: skip


def link_key(link: IdentityLink) -> bytes:
    """Changelog key of a piece of evidence; `~` cannot begin a tenant, so it never meets an identifier's key."""
    left, right = link["left"], link["right"]
    pair = "\x1f".join((left["type"], left["value"], right["type"], right["value"]))
    return f"~{link['tenant']}\x1f{pair}\x1f{link['kind']}".encode()


@dataclass(slots=True)
class StitchState:
    """What stitch knows of one partition's identifiers: their newest assignments and the evidence sent on."""

    assignments: dict[bytes, IdentityAssignment] = field(default_factory=dict)
    evidence: dict[bytes, int] = field(default_factory=dict)  #: link key → earliest event time sent on

    def owner(self, tenant: str, identifier: Identifier, occurred_at: int) -> tuple[str, int]:
        """Return the owning profile and the version of the assignment that says so."""
        assignment = self.assignments.get(identifier_key(tenant, identifier))
        if assignment is None:
            return own_profile(tenant, node_of(identifier)), NO_VERSION
        return owner_at(assignment, occurred_at), assignment["version"]

    def learn(self, link: IdentityLink) -> bytes | None:
        """Note a link; return its key if it is new evidence, None if it proves nothing new."""
        key = link_key(link)
        known = self.evidence.get(key)
        if known is not None and known <= link["occurred_at"]:
            return None
        self.evidence[key] = link["occurred_at"]
        return key

    def assign(self, key: bytes, assignment: IdentityAssignment) -> bool:
        """Note an assignment; return whether it is newer than the one known."""
        known = self.assignments.get(key)
        if known is not None and known["version"] >= assignment["version"]:
            return False
        self.assignments[key] = assignment
        return True

    def unassign(self, key: bytes) -> None:
        """Forget an identifier that was erased."""
        self.assignments.pop(key, None)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        if value is None:
            self.unassign(key)
            return
        name, record = decode(value)
        if name == "IdentityLink":
            self.learn(record)  # type: ignore[arg-type]
        else:
            self.assign(key, record)  # type: ignore[arg-type]

    def restored(self) -> None:
        """Nothing to finish."""
