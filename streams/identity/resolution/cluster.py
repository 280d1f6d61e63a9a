"""A cluster: the identifiers that belong to one person, and what a union of two changes."""

from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from streams.identity.resolution.evidence import Node
from streams.identity.resolution.profile_id import own_profile

#: (event time of the first accepted link, -priority, type, value): the member with the smallest key is the anchor.
#: A high priority number is a weak identifier. The weakest gives its name at equal times: a cookie is there before the
#: log-in in the same touchpoint, so the profile keeps the id that it mostly had before.
AnchorKey: TypeAlias = tuple[int, int, str, str]
#: Number of members per type, for types with a rule. Immutable: clusters share equal dicts.
Counts: TypeAlias = dict[str, int]

_NO_LINK_YET: Final = 1 << 62  # later than any event time

#: Cached, because one decision asks for the ids of the same few profiles several times.
_profile_of: Final = lru_cache(maxsize=256)(own_profile)


class Cluster:
    """Identifiers that belong to one person."""

    __slots__ = ("anchor", "component", "counts", "members", "over_limit", "since", "tenant")

    def __init__(self, tenant: str, member: Node, counts: Counts) -> None:
        self.tenant = tenant
        self.members = [member]
        self.anchor = member  #: the member that gives the profile its id
        self.since = _NO_LINK_YET  #: event time of the anchor's first accepted link, UTC ms
        self.counts = counts
        self.over_limit = 0  #: links that limits refused at its members
        self.component: Any = None  #: its `component.Component`; only the incremental form sets it

    @property
    def profile_id(self) -> str:
        """The profile's id, computed on each access: storing it would take a tenth of the memory of a person."""
        return _profile_of(self.tenant, self.anchor)


class ClusterName(NamedTuple):
    """The anchor of a cluster, and the event time (UTC ms) of the anchor's first accepted link."""

    since: int
    anchor: Node


class Undo(NamedTuple):
    """The state before one accepted link. Undos must be applied in reverse order."""

    kept: Cluster
    absorbed: Cluster | None
    name: ClusterName
    counts: Counts
