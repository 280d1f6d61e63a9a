"""The evidence that a touchpoint carries, as IdentityLinks, and the changelog key of a piece of evidence."""

from collections.abc import Iterator

from schemas.records import Identifier, IdentityLink, LinkKind, Touchpoint
from streams.identity.resolution.evidence import Pair
from streams.identity.resolution.ownership import node_of


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
    return evidence_key(link["tenant"], (node_of(link["left"]), node_of(link["right"])), link["kind"])


def evidence_key(tenant: str, pair: Pair, kind: LinkKind) -> bytes:
    """Changelog key of a pair's evidence of one kind."""
    return "\x1f".join((f"~{tenant}", *pair[0], *pair[1], kind)).encode()
