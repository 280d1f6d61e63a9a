"""The definition of identity (docs/identity.md) once more, as slowly and plainly as it can be written: an oracle.

It shares no code with `streams.identity` but names of types: sets of frozensets, recomputed at every link.
"""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID, uuid5

from streams.identity.resolution.evidence import Evidence, Node, Pair
from streams.identity.resolution.profile_id import NAMESPACE

UNIQUE = {"customer_id"}
LIMITS = {"email": 2, "cookie": 3}
CLOSE_AFTER = 2
QUARANTINE_AFTER = 4
COMPONENT_SIZE = 7
PRIORITIES = {"customer_id": 10, "email": 20, "phone": 30, "cookie": 70, "device": 70}


def naive_owners(
    tenant: str, links: Mapping[Pair, Evidence]
) -> tuple[dict[Node, tuple[str, int | None]], dict[tuple[int, Pair, bool], str]]:
    """Identifier → (profile id, contested from), and the refused links with their reasons."""
    todo = set()
    for pair, evidence in links.items():
        if evidence.asserted is not None:
            todo.add((evidence.asserted, pair, True))
        if evidence.observed is not None and (
            evidence.asserted is None or evidence.observed < evidence.asserted
        ):
            todo.add((evidence.observed, pair, False))
    people = {frozenset([node]) for pair in links for node in pair}
    contested: dict[Node, int] = {}
    first: dict[Node, int] = {}
    refused = {}
    over_limit: Counter[tuple[Node, str]] = Counter()
    quarantined: set[Node] = set()
    for item in sorted(todo):
        time, pair, asserted = item
        left, right = (next(person for person in people if node in person) for node in pair)
        reason = _reason(pair, left, right, asserted, contested, over_limit, quarantined)
        if reason is not None:
            refused[item] = reason
            if reason.startswith("unique"):
                weakest = max(PRIORITIES[type_] for type_, _ in pair)
                for node in pair:
                    if PRIORITIES[node[0]] == weakest and node[0] not in UNIQUE:
                        contested[node] = time
            if reason.startswith("limit"):
                over_limit.update([(pair[0], pair[1][0]), (pair[1], pair[0][0])])
        else:
            people = (people - {left, right}) | {left | right}
            for node in pair:
                first.setdefault(node, time)
        for person in people:
            if sum(count for (node, _), count in over_limit.items() if node in person) >= QUARANTINE_AFTER:
                quarantined |= person
    owners = {}
    for person in people:
        if len(person) > COMPONENT_SIZE:
            for item in todo - refused.keys():
                if item[1][0] in person:
                    refused[item] = "component_size"
            owners |= {node: (_uuid(tenant, node), contested.get(node)) for node in person}
            continue
        anchor = min(person, key=lambda node: (first.get(node, 0), -PRIORITIES[node[0]], node))
        for node in person:
            owners[node] = _uuid(tenant, anchor), contested.get(node)
    return owners, refused


def _reason(
    pair: Pair,
    left: frozenset[Node],
    right: frozenset[Node],
    asserted: bool,
    contested: dict[Node, int],
    over_limit: "Counter[tuple[Node, str]]",
    quarantined: set[Node],
) -> str | None:
    if not asserted and any(node in contested for node in pair):
        return "contested"
    for node, (other, _) in (pair, pair[::-1]):
        if not asserted and over_limit[node, other] >= CLOSE_AFTER:
            return f"closed:{other}"
    if not asserted and any(node in quarantined for node in pair):
        return "quarantined"
    if left == right:
        return None
    for type_ in sorted(UNIQUE):
        if not asserted and all(any(node[0] == type_ for node in side) for side in (left, right)):
            return f"unique:{type_}"
    for type_, limit in sorted(LIMITS.items()):
        if sum(node[0] == type_ for node in left | right) > limit:
            return f"limit:{type_}"
    return None


def _uuid(tenant: str, node: Node) -> str:
    return str(uuid5(UUID(str(NAMESPACE)), "\x1f".join((tenant, *node))))
