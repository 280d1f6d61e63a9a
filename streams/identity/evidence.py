"""What is known about a tenant's identifiers: which were seen together, and since when.

The state is a map pair → Evidence. Joining two such maps takes minima, so evidence may arrive in any order,
twice, or from any number of partitions (DESIGN.md section 4).
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

#: An identifier within its tenant: (type, prepared value).
Node: TypeAlias = tuple[str, str]
#: Two different identifiers, the smaller first.
Pair: TypeAlias = tuple[Node, Node]
#: One link to decide on: (event time in UTC ms, pair, asserted). Links are decided in this tuple's order.
Item: TypeAlias = tuple[int, Pair, bool]


class Evidence(NamedTuple):
    """Earliest event times, in UTC milliseconds, at which a pair was seen together."""

    observed: int | None  #: by a touchpoint that carried both
    asserted: int | None  #: by an authority that says they are one person


def evidence_of(occurred_at: int, *, asserted: bool) -> Evidence:
    """What a single event shows."""
    return Evidence(None, occurred_at) if asserted else Evidence(occurred_at, None)


def join(known: Evidence | None, new: Evidence) -> Evidence:
    """Both together: the earlier time of each kind. Idempotent, commutative, associative."""
    if known is None:
        return new
    return Evidence(_earlier(known.observed, new.observed), _earlier(known.asserted, new.asserted))


def packed(evidence: Evidence) -> Evidence | int:
    """The same in less memory: most pairs were only observed, and then the time says it all."""
    observed, asserted = evidence
    return observed if asserted is None and observed is not None else evidence


def unpacked(evidence: Evidence | int) -> Evidence:
    """The evidence that was packed."""
    return Evidence(evidence, None) if isinstance(evidence, int) else evidence


def items(pair: Pair, evidence: Evidence | None) -> list[Item]:
    """The links that a pair's evidence amounts to, in order.

    An observation and a later assertion are two links: the second may do what the first may not.
    An observation that an assertion precedes adds nothing.
    """
    if evidence is None:
        return []
    observed, asserted = evidence
    if asserted is None:
        return [] if observed is None else [(observed, pair, False)]
    if observed is None or asserted <= observed:
        return [(asserted, pair, True)]
    return [(observed, pair, False), (asserted, pair, True)]


def in_order(links: Iterable[tuple[Pair, Evidence]]) -> list[Item]:
    """All links that the evidence amounts to, as they are decided."""
    return sorted(item for pair, evidence in links for item in items(pair, evidence))


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
