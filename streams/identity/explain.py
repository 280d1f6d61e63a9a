"""Explains why two identifiers are one person, since which event; or which rule refused the links between them.

The links of their component are decided again, as by the definition, and each outcome is recorded. So an explanation
needs only the evidence and is possible as of any event time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from schemas.records import IdentityLink
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.clusters import COMPONENT_SIZE, Clusters
from streams.identity.resolution.corrections import UNLINKED, Corrections
from streams.identity.resolution.evidence import Evidence, Item, Node, Pair, evidence_of, items, join
from streams.identity.resolution.gates import by_gate
from streams.identity.resolution.ownership import node_of

_EVER: Final = 1 << 62  # after every time


class Proof(NamedTuple):
    """A link with the event that shows it: the earliest event, of equal times the one with the smallest id."""

    left: Node
    right: Node
    occurred_at: int  #: event time, UTC ms
    asserted: bool
    event_id: str
    source: str


#: (pair, asserted) → its proof.
_Proofs: TypeAlias = dict[tuple[Pair, bool], Proof]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why a link does not unite its sides."""

    #: `unique:<type>`, `limit:<type>`, `closed:<type>`, `quarantined`, `contested`; `component_size` if the link is in
    #: a component of too many identifiers; `unlink` if it was withdrawn
    rule: str
    #: unique, limit: the values that would have come together; closed: the identifier that takes no more of the type;
    #: quarantined: the identifier whose profile takes no more; contested: the identifiers that were shared by then
    values: tuple[Node, ...]
    shared_since: int | None = (
        None  #: closed, quarantined, contested: from which event time on the first of them was
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A link on the path from one identifier to the other."""

    proof: Proof
    refusal: Refusal | None  #: None: it was accepted


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two identifiers: its owner, and since when it is shared."""

    node: Node
    linked: bool  #: whether any evidence links it to anything
    owner: str  #: profile that owns its touchpoints at the time asked for
    profile_id: str  #: profile that owns its touchpoints from before it became shared
    contested_from: int | None  #: event time, UTC ms, inclusive
    contested_by: Proof | None  #: the refused link that showed it to be shared


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of the relation of two identifiers."""

    tenant: str
    at: int | None  #: as of evidence up to this event time; None: all of it
    one: Side
    other: Side
    #: the earliest chain of evidence that makes them one person, the shortest of these; if there is none, the path
    #: between them with the fewest refused links; empty if no evidence connects them
    steps: tuple[Step, ...]
    since: int | None  #: event time of the link that completed the chain; None: never one person
    #: event time from which on one of them is shared, so that they are no longer one person; later than `since`
    until: int | None
    #: instead of `until`, if one of them was shared already when the chain was complete, as by a golden record that
    #: came later: they never were one person at one time, but what happened before this event time is one person's
    before: int | None = None

    @property
    def same(self) -> bool:
        """Whether both belong to one person at the time asked for."""
        return self.one.owner == self.other.owner

    @property
    def refusals(self) -> tuple[Step, ...]:
        """The steps that were refused."""
        return tuple(step for step in self.steps if step.refusal is not None)


def explain(
    tenant: str,
    policy: IdentityPolicy,
    links: Iterable[IdentityLink],
    one: Node,
    other: Node,
    at: int | None = None,
    corrections: Corrections | None = None,
) -> Explanation:
    """Explain two different identifiers by a tenant's links, as of event time `at` (UTC ms; None: all).

    `links` must contain all links of the components of both; further links change nothing. Links that `corrections`
    withdrew are shown as withdrawn, erased links are not shown.
    """
    counting, withdrawn = _counting_and_withdrawn(links, at, corrections or Corrections())
    near = _connected({one, other}, [*counting, *withdrawn])
    log = _DecisionLog(tenant, policy)
    log.decide({key: proof for key, proof in counting.items() if key[0][0] in near})
    log.withdraw({key: proof for key, proof in withdrawn.items() if key[0][0] in near})
    chain = log.earliest_chain(one, other)
    sides = log.side(one), log.side(other)
    shared = [side.contested_from for side in sides if side.contested_from is not None]
    if chain is None:
        return Explanation(tenant, at, *sides, log.least_refused_path(one, other), None, None)
    steps, since = chain
    end = min(shared, default=None)
    if end is not None and end <= since:
        return Explanation(tenant, at, *sides, steps, since, None, end)
    return Explanation(tenant, at, *sides, steps, since, end)


def _counting_and_withdrawn(
    links: Iterable[IdentityLink], at: int | None, corrections: Corrections
) -> tuple[_Proofs, _Proofs]:
    """The proofs of the counting links, and those of the withdrawn links."""
    counting: _Proofs = {}
    withdrawn: _Proofs = {}
    for link in links:
        left, right, time = node_of(link["left"]), node_of(link["right"]), link["occurred_at"]
        if at is not None and time > at:
            continue
        cut = corrections.cut((left, right))
        if cut is None or time > cut:
            proofs = counting
        elif any(time <= corrections.erased.get(node, time - 1) for node in (left, right)):
            continue
        else:
            proofs = withdrawn
        asserted = link["kind"] == "ASSERTED"
        proof = Proof(left, right, time, asserted, link["event_id"], link["source"])
        known = proofs.setdefault(((left, right), asserted), proof)
        if proof[2:] < known[2:]:
            proofs[(left, right), asserted] = proof
    return counting, withdrawn


def _connected(nodes: set[Node], links: Iterable[tuple[Pair, bool]]) -> set[Node]:
    """The nodes and all identifiers that links connect to them."""
    neighbours: dict[Node, set[Node]] = {}
    for (left, right), _ in links:
        neighbours.setdefault(left, set()).add(right)
        neighbours.setdefault(right, set()).add(left)
    found, todo = set(nodes), list(nodes)
    while todo:
        fresh = neighbours.get(todo.pop(), set()) - found
        found |= fresh
        todo += fresh
    return found


class _DecisionLog:
    """Decides links in order and records the outcome of each."""

    def __init__(self, tenant: str, policy: IdentityPolicy) -> None:
        self._clusters = Clusters(tenant, policy)
        self._proofs: _Proofs = {}
        self._decided: list[tuple[Proof, Refusal | None]] = []

    def decide(self, proofs: _Proofs) -> None:
        """Take in all evidence."""
        self._proofs = proofs
        known: dict[Pair, Evidence] = {}
        for (pair, asserted), proof in proofs.items():
            known[pair] = join(known.get(pair), evidence_of(proof.occurred_at, asserted=asserted))
        for item in sorted(item for pair, evidence in known.items() for item in items(pair, evidence)):
            self._clusters.decide(item)
            reason = self._clusters.refused.get(item)
            self._decided.append((self._proof(item), None if reason is None else self._refusal(item, reason)))

        for number, (proof, refusal) in enumerate(self._decided):
            cluster = self._clusters.cluster_of[proof.left]
            if refusal is None and cluster in self._clusters.oversized:
                self._decided[number] = proof, Refusal(COMPONENT_SIZE, ())

    def withdraw(self, proofs: _Proofs) -> None:
        """Add withdrawn links, which change no decision."""
        self._decided += ((proof, Refusal(UNLINKED, ())) for proof in sorted(proofs.values()))

    def side(self, node: Node) -> Side:
        """The identifier's owners after all decisions."""
        assignment = self._clusters.assignment(node)
        by = self._clusters.gates.contested.get(node)
        return Side(
            node,
            node in self._clusters.cluster_of,
            assignment.owner_at(_EVER),
            assignment.profile_id,
            assignment.contested_from,
            None if by is None else self._proof(by),
        )

    def earliest_chain(self, one: Node, other: Node) -> tuple[tuple[Step, ...], int] | None:
        """The shortest chain of accepted links at the time when the two became one, and that time."""
        clusters = self._clusters.cluster_of
        if one not in clusters or clusters[one] is not clusters.get(other):
            return None
        if clusters[one] in self._clusters.oversized:
            return None
        group = {one: {one}, other: {other}}
        for count, (proof, refusal) in enumerate(self._decided, start=1):
            if refusal is not None:
                continue
            left, right = (group.setdefault(node, {node}) for node in proof[:2])
            if left is right:
                continue
            small, large = sorted((left, right), key=len)
            large |= small
            for node in small:
                group[node] = large
            if group[one] is group[other]:
                return self._path(one, other, count), proof.occurred_at
        raise AssertionError("accepted links unite every cluster")

    def least_refused_path(self, one: Node, other: Node) -> tuple[Step, ...]:
        """The path with the fewest refused links, of several the shortest; empty if there is none."""
        return self._path(one, other, len(self._decided))

    def _path(self, one: Node, other: Node, count: int) -> tuple[Step, ...]:
        """The path with the fewest refused links among the first `count` links, of several the shortest (Dijkstra)."""
        best: dict[Pair, int] = {}  # pair → its first decision, or the one that accepted it
        for number, (proof, refusal) in enumerate(self._decided[:count]):
            pair = proof[:2]
            if pair not in best or (refusal is None and self._decided[best[pair]][1] is not None):
                best[pair] = number
        edges: dict[Node, list[tuple[Node, int]]] = {}
        for (left, right), number in best.items():
            edges.setdefault(left, []).append((right, number))
            edges.setdefault(right, []).append((left, number))
        came: dict[Node, tuple[Node, int]] = {}
        # the cost: refused links, then all links, then the order of decisions, which makes the answer deterministic
        todo: list[tuple[int, int, int, Node, Node]] = [(0, 0, -1, one, one)]
        while todo:
            refused, length, number, node, before = heappop(todo)
            if node in came:
                continue
            came[node] = before, number
            if node == other:
                break
            for neighbour, edge in edges.get(node, ()):
                if neighbour not in came:
                    is_refused = self._decided[edge][1] is not None
                    heappush(todo, (refused + is_refused, length + 1, edge, neighbour, node))
        return self._steps(one, other, came)

    def _steps(self, one: Node, other: Node, came: dict[Node, tuple[Node, int]]) -> tuple[Step, ...]:
        steps: list[Step] = []
        node = other
        while node != one and node in came:
            before, number = came[node]
            proof, refusal = self._decided[number]
            steps.append(Step(proof._replace(left=before, right=node), refusal))
            node = before
        return tuple(reversed(steps))

    def _proof(self, item: Item) -> Proof:
        return self._proofs[item[1], item[2]]

    def _refusal(self, item: Item, reason: str) -> Refusal:
        """The details of a refusal, read right after it: a refusal changes no cluster."""
        gate = self._clusters.gates.of(item) if by_gate(reason) else None
        if gate is not None and gate.other:
            since = self._clusters.gates.since(gate)
            return Refusal(reason, (gate.node,), None if since is None else since[0])
        if gate is not None:
            contested = self._clusters.gates.contested
            shared = sorted((node for node in item[1] if node in contested), key=lambda node: contested[node])
            return Refusal(reason, tuple(shared), contested[shared[0]][0])
        type_ = reason.partition(":")[2]
        left, right = (self._clusters.cluster_of[node].members for node in item[1])
        return Refusal(reason, tuple(sorted(node for node in (*left, *right) if node[0] == type_)))
