"""Builders for identity tests: identifiers, links and policies with the noise left out."""

from collections.abc import Iterable, Mapping

from hypothesis import strategies as st

from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.definition import Assignment, own_profile
from streams.identity.resolution.evidence import Evidence, Node, Pair, evidence_of, join

TENANT = "shop"

RULES = """
[types.customer_id]
priority = 10
unique = true
[types.email]
priority = 20
limit = 2
[types.phone]
priority = 30
[types.cookie]
priority = 70
limit = 3
[types.device]
priority = 70
[limits]
close_after = 2
quarantine_after = 4
component_size = 7
"""

#: One link as an event shows it: pair, event time, asserted.
Link = tuple[Pair, int, bool]


def policy(text: str = RULES) -> IdentityPolicy:
    return IdentityPolicy.parse(text, b"", "k1")


def node(text: str) -> Node:
    type_, value = text.split(":", 1)
    return type_, value


def link(one: str, other: str, time: int, *, asserted: bool = False) -> Link:
    left, right = sorted((node(one), node(other)))
    return (left, right), time, asserted


def evidence_map(links: Iterable[Link]) -> dict[Pair, Evidence]:
    known: dict[Pair, Evidence] = {}
    for pair, time, asserted in links:
        known[pair] = join(known.get(pair), evidence_of(time, asserted=asserted))
    return known


def observed(
    links: Iterable[Link], rules: IdentityPolicy | None = None, tenant: str = TENANT
) -> TenantIdentities:
    identities = TenantIdentities(tenant, rules or policy())
    for one in links:
        identities.observe(*one)
    return identities


def owner(identities: TenantIdentities, identifier: str, time: int) -> str:
    return identities.assignment(node(identifier)).owner_at(time)


def own(identifier: str) -> str:
    return own_profile(TENANT, node(identifier))


def assignments(identities: TenantIdentities, nodes: Iterable[Node]) -> dict[Node, Assignment]:
    return {one: identities.assignment(one) for one in nodes}


def groups(assigned: Mapping[Node, Assignment]) -> set[frozenset[Node]]:
    by_profile: dict[str, set[Node]] = {}
    for one, assignment in assigned.items():
        by_profile.setdefault(assignment.profile_id, set()).add(one)
    return {frozenset(members) for members in by_profile.values()}


#: A small world, so that links meet often: every rule is broken in most of the examples.
NODES = [
    *(("customer_id", value) for value in "AB"),
    ("customer_id", "C"),
    *(("email", value) for value in "abc"),
    ("phone", "1"),
    *(("cookie", value) for value in "wxyz"),
    ("device", "d"),
]
pairs = st.lists(st.sampled_from(NODES), min_size=2, max_size=2, unique=True).map(
    lambda two: tuple(sorted(two))
)
event_links = st.tuples(pairs, st.integers(0, 9), st.sampled_from([False, False, False, False, True]))
histories = st.lists(event_links, min_size=1, max_size=30)

#: A larger world with longer histories: components have a past to take back, and people outside them.
MANY_NODES = [
    *(("customer_id", str(number)) for number in range(7)),
    *(("email", str(number)) for number in range(7)),
    *(("cookie", str(number)) for number in range(12)),
    *(("device", str(number)) for number in range(5)),
    *(("phone", str(number)) for number in range(2)),
]
many_pairs = st.lists(st.sampled_from(MANY_NODES), min_size=2, max_size=2, unique=True).map(
    lambda two: tuple(sorted(two))
)
long_histories = st.lists(
    st.tuples(many_pairs, st.integers(0, 99), st.sampled_from([False] * 9 + [True])), min_size=20, max_size=80
)
