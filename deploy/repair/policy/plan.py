"""What a policy decides otherwise than what is published: pure, from evidence and published assignments."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.records import IdentityLink
from streams.identity.resolution.corrections import CorrectedIdentities
from streams.identity.resolution.evidence import Node, Pair
from streams.identity.resolution.ownership import pair_of
from streams.identity.resolution.profile_id import Assignment, own_profile

#: A link as it is stored, and its encoded record.
StoredLink: TypeAlias = tuple[IdentityLink, bytes]


@dataclass(frozen=True)
class Question:
    """One component to ask again: any of its links will do, since a component is decided as a whole."""

    tenant: str
    link: bytes  #: an IdentityLink that identity knows: sent again, it is no new evidence
    members: tuple[tuple[Node, Assignment, Assignment], ...]  #: identifier, as published, as decided now

    @property
    def differences(self) -> list[tuple[str, Node, Assignment, Assignment]]:
        """Tenant, identifier, as published and as decided now, where the two differ."""
        return [(self.tenant, *one) for one in self.members if one[1] != one[2]]


@dataclass
class Preview:
    """What would become of profiles. Parts are counted in identifiers."""

    identifiers: int = 0  #: whose assignment changes
    #: (tenant, profile) → the several profiles of which it will be made
    merges: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    #: (tenant, profile) → the several profiles that will be made of it
    splits: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)


def questions(
    tenant: str,
    identities: CorrectedIdentities,
    links: Iterable[StoredLink],
    published: Mapping[Node, Assignment],
) -> Iterator[Question]:
    """The components of one tenant in which `identities` decides otherwise than what is published.

    `links`: every stored link of the tenant. Resolves `identities`.
    """
    counting = [one for one in links if _counts(identities, one[0])]
    for found in _components(pair_of(link) for link, _ in counting):
        members = tuple(
            (node, published.get(node) or _unassigned(tenant, node), identities.assignment(node))
            for node in sorted(found)
        )
        if any(was != now for _, was, now in members):
            yield Question(tenant, counting[min(found.values())][1], members)


def preview(asked: Iterable[Question]) -> Preview:
    """What the answers to these questions will change."""
    seen = Preview()
    for question in asked:
        seen.identifiers += len(question.differences)
        came_from: dict[str, Counter[str]] = defaultdict(Counter)
        became: dict[str, Counter[str]] = defaultdict(Counter)
        for _, was, now in question.members:
            came_from[now.profile_id][was.profile_id] += 1
            became[was.profile_id][now.profile_id] += 1
        seen.merges |= {(question.tenant, one): parts for one, parts in came_from.items() if len(parts) > 1}
        seen.splits |= {(question.tenant, one): parts for one, parts in became.items() if len(parts) > 1}
    return seen


def _unassigned(tenant: str, node: Node) -> Assignment:
    return Assignment(own_profile(tenant, node), None, None)


def _counts(identities: CorrectedIdentities, link: IdentityLink) -> bool:
    """Whether a link is evidence: no correction cuts it. Only then does sending it again ask for its component."""
    cut = identities.corrections.cut(pair_of(link))
    return cut is None or link["occurred_at"] > cut


def _components(pairs: Iterable[Pair]) -> Iterator[dict[Node, int]]:
    """Connected components: identifier → the number of the first pair that names it."""
    at: dict[Node, dict[Node, int]] = {}
    for number, (left, right) in enumerate(pairs):
        one, other = at.get(left), at.get(right)
        if one is None:
            one = at[left] = {left: number}
        if other is None:
            other = at[right] = {right: number}
        if one is not other:
            if len(one) < len(other):
                one, other = other, one
            one |= other
            for node in other:
                at[node] = one
    yield from {id(members): members for members in at.values()}.values()
