"""Evidence: which of a tenant's identifiers were seen together, and since when.

The state is a map pair → Evidence. Joining two such maps takes minima. So evidence may arrive in any order,
repeatedly, and from any number of partitions.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

#: An identifier within its tenant: (type, prepared value).
Node: TypeAlias = tuple[str, str]
#: Two different identifiers, the smaller one first.
Pair: TypeAlias = tuple[Node, Node]
#: One link to decide on: (event time in UTC ms, pair, asserted). Links are decided in this tuple's order.
Item: TypeAlias = tuple[int, Pair, bool]


class Evidence(NamedTuple):
    """Earliest event times, in UTC milliseconds, at which a pair was seen together."""

    observed: int | None  #: by a touchpoint that carried both
    asserted: int | None  #: by an authority that declares them to be one person


def evidence_of(occurred_at: int, *, asserted: bool) -> Evidence:
    """The evidence of a single event at this event time (UTC ms)."""
    return Evidence(None, occurred_at) if asserted else Evidence(occurred_at, None)


def join(known: Evidence | None, new: Evidence) -> Evidence:
    """The earlier time of each kind. Idempotent, commutative and associative."""
    if known is None:
        return new
    return Evidence(_earlier(known.observed, new.observed), _earlier(known.asserted, new.asserted))


def packed(evidence: Evidence) -> Evidence | int:
    """The evidence in less memory: an int for a pair that was only observed, as most pairs are."""
    observed, asserted = evidence
    return observed if asserted is None and observed is not None else evidence


def unpacked(evidence: Evidence | int) -> Evidence:
    """The evidence of which this is the packed form."""
    return Evidence(evidence, None) if isinstance(evidence, int) else evidence


def items(pair: Pair, evidence: Evidence | None) -> list[Item]:
    """The links that a pair's evidence amounts to, in order.

    An observation and a later assertion are two links: the rules may refuse the first and accept the second. An
    observation after an assertion adds nothing.
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
    """All links that the evidence amounts to, in the order in which they are decided."""
    return sorted(item for pair, evidence in links for item in items(pair, evidence))


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
