"""Link histories that benchmarks decide on: a population, and the components that are hardest to decide."""

import random
from collections.abc import Iterable, Iterator

from streams.identity.resolution.evidence import Node, Pair

#: Pair, event time (UTC ms), asserted: in the order of arrival.
Link = tuple[Pair, int, bool]

START = 1_700_000_000_000


def population(identifiers: int, seed: int = 1) -> list[Link]:
    """Links of so many identifiers' owners, in one day.

    A person has a customer id, an email and two cookies; one link in fifty arrives up to an hour late; one person
    in a hundred shares a tablet.
    """
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
    occurred_at = START + chance.randrange(86_400_000)
    delay = chance.randrange(3_600_000) if chance.random() < 0.02 else 0
    links.append((occurred_at + delay, link(one, other, occurred_at)))


def link(one: Node, other: Node, occurred_at: int) -> Link:
    """An observed link."""
    left, right = sorted((one, other))
    return (left, right), occurred_at, False


def fresh(links: Iterable[Link]) -> Iterator[Link]:
    """The same links with identifiers and texts of their own, as decoding makes them for every event."""
    for (left, right), occurred_at, asserted in links:
        yield (_copy(left), _copy(right)), occurred_at, asserted


def _copy(node: Node) -> Node:
    return "".join(list(node[0])), "".join(list(node[1]))


def call_centre(calls: int) -> list[Link]:
    """One phone number, another customer at every call: contested from the second call on."""
    phone = "phone", "hmac:k1:" + "0" * 32
    return [link(("customer_id", f"{at:07}"), phone, START + at) for at in range(calls)]


def shared_login(links: int) -> list[Link]:
    """One customer id on ever new browsers, one a second: the limit refuses all but the first 200."""
    return [link(("customer_id", "all"), ("cookie", f"{at:07}"), START + 1000 * at) for at in range(links)]


def families(links: int) -> list[Link]:
    """Everybody shares a tablet with the next, a link each half second: half of all links are refused."""
    made = []
    for at in range(links):
        tablet, person = ("cookie", f"{at // 2:07}"), ("customer_id", f"{(at + 1) // 2:07}")
        made.append(link(tablet, person, START + 500 * at))
    return made


def chain(links: int) -> list[Link]:
    """Devices of a type without rules, each linked to the one before and to nobody's customer id but one.

    The last link brings a second customer id, which is refused: one profile of all devices and one refusal.
    """
    made = [
        link(("device", f"{at:07}"), ("device", f"{at + 1:07}"), START + 1000 * at) for at in range(links)
    ]
    made.append(link(("customer_id", "one"), ("device", f"{0:07}"), START + 1000 * links))
    made.append(link(("customer_id", "two"), ("device", f"{1:07}"), START + 1000 * links + 1))
    return made
