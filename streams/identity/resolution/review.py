"""Reviews: what a former policy had decided about restored links, where the present one decides otherwise.

State holds evidence and derives decisions. After a change of policy it derives other ones, and nobody else knows: an
identifier that the new policy splits off is still published as the old profile's, and its touchpoints are there. So
whoever restores links under a new policy decides them under the former one, too. The difference is published with the
next decision of the component.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.identity.resolution.evidence import Node
from streams.identity.resolution.profile_id import Assignment


@dataclass(eq=False)
class Review:
    """Identifiers of restored components, at least one of which the former policy had assigned otherwise."""

    #: identifier → its assignment under the newest former policy, of all identifiers of the components
    before: dict[Node, Assignment] = field(default_factory=dict)
    #: profile under that policy → the identifier that gave it its id
    anchors: dict[str, Node] = field(default_factory=dict)
    #: identifier → the profiles that may hold its touchpoints, for identifiers on which any policies differ
    holders: dict[Node, frozenset[str]] = field(default_factory=dict)


class Reviews:
    """The reviews of one tenant that are not published yet. Falsy if there are none."""

    def __init__(self) -> None:
        self._of: dict[Node, Review] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, review: Review) -> None:
        """Keep a review until it is published."""
        self._of.update(dict.fromkeys(review.before, review))

    def waiting(self, nodes: Iterable[Node]) -> bool:
        """Whether a review of one of these identifiers waits."""
        return any(node in self._of for node in nodes)

    def take(self, nodes: Iterable[Node]) -> Review | None:
        """Remove and return what must be published with the next decision on these identifiers; None if nothing."""
        if not self._of:
            return None
        found = {id(one): one for node in nodes if (one := self._of.get(node)) is not None}
        if not found:
            return None
        taken = Review()
        for one in found.values():
            for node in one.before:
                del self._of[node]
            taken.before |= one.before
            taken.anchors |= one.anchors
            taken.holders |= one.holders
        return taken


def compared(
    former: Sequence[Mapping[Node, Assignment]], anchors: dict[str, Node], now: Mapping[Node, Assignment]
) -> Review | None:
    """What differs between the assignments of former policies (the newest last) and those of the present one.

    All name the same identifiers. None if nothing differs.
    """
    holders: dict[Node, frozenset[str]] = {}
    for node, present in now.items():
        were = [one[node] for one in former]
        if any(one != present for one in were):
            holders[node] = frozenset(profile for one in (*were, present) for profile in profiles_of(one))
    return Review(dict(former[-1]), anchors, holders) if holders else None


def profiles_of(assignment: Assignment) -> tuple[str, ...]:
    """The profiles that own an identifier's touchpoints."""
    contested = assignment.contested_profile_id
    return (assignment.profile_id,) if contested is None else (assignment.profile_id, contested)
