"""How fast identity decides: links a second on one core, and bytes of state an identifier.

    python tests/benchmarks/identity_links.py

A person has a customer id, an email and two cookies; one link in fifty arrives late; one person in a hundred
shares a tablet. Besides: a chain that grows to 100,000 links, a call centre's number on 100,000 calls (in
order and shuffled), and the restoring of a million identifiers from the changelog. Garbage collection runs as
by default: at a million identifiers a full collection is the slowest link by far.
"""

import random
import sys
import tracemalloc
from collections.abc import Iterable
from time import perf_counter

from streams.identity.components import TenantIdentities
from streams.identity.evidence import Node, Pair, evidence_of
from streams.identity.load_policy import load
from streams.identity.policy import IdentityPolicy

POLICY = load("", b"k" * 32, "k1")

Link = tuple[Pair, int, bool]


def population(identifiers: int, seed: int = 1) -> list[Link]:
    """Links of so many identifiers' owners, in the order in which they arrive."""
    chance = random.Random(seed)
    links: list[tuple[int, Link]] = []
    for person in range(identifiers // 4):
        customer, mail = ("customer_id", f"c{person}"), ("email", f"hmac:k1:{person:032x}")
        for number in range(2):
            _link(links, chance, customer, ("cookie", f"{person:016x}-{number}"))
        _link(links, chance, customer, mail)
        if person % 100 == 1:
            _link(links, chance, customer, ("cookie", f"{person - 1:016x}-0"))
    return [link for _, link in sorted(links)]


def _link(links: list[tuple[int, Link]], chance: random.Random, one: Node, other: Node) -> None:
    occurred_at = 1_700_000_000_000 + chance.randrange(86_400_000)
    delay = chance.randrange(3_600_000) if chance.random() < 0.02 else 0
    left, right = sorted((one, other))
    links.append((occurred_at + delay, ((left, right), occurred_at, False)))


def chain(length: int) -> list[Link]:
    """Devices of a type without rules, each linked to the one before: one component."""
    return [((("device", f"{at:07}"), ("device", f"{at + 1:07}")), at, False) for at in range(length)]


def call_centre(calls: int) -> list[Link]:
    """One phone number, another customer at every call."""
    return [
        ((("customer_id", f"{at:07}"), ("phone", "hmac:k1:" + "0" * 32)), at, False) for at in range(calls)
    ]


def report(name: str, links: list[Link], policy: IdentityPolicy = POLICY) -> TenantIdentities:
    """Time the decisions on these links."""
    identities = TenantIdentities("shop", policy)
    slowest = 0.0
    begun = perf_counter()
    for link in links:
        before = perf_counter()
        identities.observe(*link)
        slowest = max(slowest, perf_counter() - before)
    seconds = perf_counter() - begun
    _say(f"{name:<42}{len(links) / seconds:>10,.0f} links/s   slowest {slowest * 1000:8.1f} ms")
    return identities


def report_restore(name: str, links: list[Link]) -> None:
    """Time the recovery of state: from the changelog's evidence to the first answer."""
    identities = TenantIdentities("shop", POLICY)
    begun = perf_counter()
    for pair, occurred_at, asserted in links:
        identities.restore(pair, evidence_of(occurred_at, asserted=asserted))
    identities.assignment(links[0][0][0])
    _say(f"{name:<42}{len(links) / (perf_counter() - begun):>10,.0f} links/s")


def report_memory(identifiers: int) -> None:
    """State per identifier, the strings of their values included."""
    tracemalloc.start()
    identities = TenantIdentities("shop", POLICY)
    _observe_all(identities, population(identifiers))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    _say(f"state: {size / identifiers:,.0f} bytes an identifier")


def _observe_all(identities: TenantIdentities, links: Iterable[Link]) -> None:
    for link in links:
        identities.observe(*link)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run every measurement."""
    report_memory(100_000)
    report("10 thousand identifiers", population(10_000))
    million = population(1_000_000)
    report("1 million identifiers", million)
    report_restore("1 million identifiers, restored", million)
    del million
    report("a chain of 100,000 links", chain(100_000))
    shuffled = call_centre(100_000)
    report("a call centre, 100,000 calls", shuffled)
    random.Random(1).shuffle(shuffled)
    report("a call centre, 100,000 calls, shuffled", shuffled)


if __name__ == "__main__":
    main()
