"""What an attacker publishes, by the name of the attack. Each yields touchpoints; `None` is a pause of a second."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemas.records import Touchpoint
from tests.support.touchpoints import touchpoint

ATTACKER: Final = "attacker"
MINUTE: Final = 60_000
CART_MINUTES: Final = 30  #: after which a cart is abandoned
Flood = Callable[[int, str], Iterator[Touchpoint | None]]


@dataclass(frozen=True)
class Attack:
    """One attack: how large the issue had it, and what it publishes for a size and a tag that makes it unique."""

    title: str
    size: int
    flood: Flood
    #: for a size, seconds from the flood's begin until what it prepares falls due; None if it prepares nothing
    due: Callable[[int], float] | None = None


def now() -> int:
    """The time in UTC ms."""
    return int(time.time() * 1000)


def event(event_id: str, ids: list[tuple[str, str]], at: int, **fields: Any) -> Touchpoint:
    """A touchpoint of the attacker."""
    return touchpoint(event_id, occurred_at=at, received_at=now(), ids=ids, tenant=ATTACKER, **fields)


def logins(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """No attack: `size` ordinary log-ins of as many people. What the others wait for here is no fault of a link."""
    base = now() - 60 * MINUTE
    for i in range(size):
        yield event(f"{tag}-{i}", [("cookie", f"{tag}-{i}"), ("customer_id", f"{tag}-{i}")], base - 10 * i)


def limit(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """One identifier and `size` loyalty ids, of which a profile may hold ten; the newest first."""
    base = now() - 60 * MINUTE
    for i in range(size):
        yield event(
            f"{tag}-{i}", [("user_key", f"shared-{tag}"), ("loyalty_id", f"{tag}-{i}")], base - 10 * i
        )


def spread(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """One profile at the limit, and `size` further ids that each ask one of its members; the newest first."""
    base = now() - 60 * MINUTE
    for i in range(10):
        ids = [("user_key", f"hub-{tag}"), ("loyalty_id", f"{tag}-first-{i}")]
        yield event(f"{tag}-hub-{i}", ids, base - 1_000_000_000)
    for i in range(size // 2):
        yield event(f"{tag}-m-{i}", [("user_key", f"hub-{tag}"), ("alias", f"{tag}-{i}")], base - 500_000_000)
    for i in range(size // 2):
        yield event(f"{tag}-{i}", [("alias", f"{tag}-{i}"), ("loyalty_id", f"{tag}-{i}")], base - 10 * i)


def rename(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """`size` weak identifiers of one customer, the newest first: each is the oldest so far, and names the profile."""
    base = now() - 60 * MINUTE
    for i in range(size):
        yield event(f"{tag}-{i}", [("customer_id", f"c-{tag}"), ("gadget", f"{tag}-{i}")], base - 10 * i)


def big(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """`size` touchpoints of nearly 1 MiB of one cookie, then a log-in that moves them to an older customer."""
    base = now() - 20 * 60 * MINUTE
    attributes = {f"a{j}": "w" * 8000 for j in range(127)}
    yield from _moved(size, tag, base, attributes)


def heavy(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """The same with the largest touchpoints that the contract admits."""
    base = now() - 20 * 60 * MINUTE
    attributes = {f"a{j}": "w" * 8000 for j in range(8)}
    yield from _moved(size, tag, base, attributes)


def _moved(size: int, tag: str, base: int, attributes: dict[str, str]) -> Iterator[Touchpoint | None]:
    for i in range(size):
        yield event(f"{tag}-{i}", [("cookie", f"big-{tag}")], base + 1000 * i, attributes=attributes)
    yield None
    yield event(f"{tag}-m0", [("customer_id", f"c-{tag}"), ("user_id", f"u-{tag}")], base - 10_000_000)
    yield None
    yield event(f"{tag}-m1", [("customer_id", f"c-{tag}"), ("cookie", f"big-{tag}")], base + 5)


def carts(size: int, tag: str) -> Iterator[Touchpoint | None]:
    """`size` carts of as many people, all abandoned at one instant."""
    at = now() + int(1000 * carts_due(size)) - CART_MINUTES * MINUTE
    for i in range(size):
        yield event(f"{tag}-{i}", [("cookie", f"{tag}-{i}")], at, type="add_to_cart")


def carts_due(size: int) -> float:
    """Seconds in which a worker has taken in so many carts, so that their deadline finds it at rest."""
    return 30 + size / 1000


ATTACKS: Final = {
    "logins": Attack("the control: as many ordinary log-ins", 4_000, logins),
    "limit": Attack("links refused by a limit, newest first", 4_000, limit),
    "spread": Attack("refused links spread over a profile's members, newest first", 4_000, spread),
    "rename": Attack("one customer's weak identifiers, newest first", 4_000, rename),
    "big": Attack("touchpoints near 1 MiB on one cookie, then a log-in", 1_000, big),
    "heavy": Attack("touchpoints of 64 KiB on one cookie, then a log-in", 1_000, heavy),
    "carts": Attack("carts that fall due at one instant", 150_000, carts, carts_due),
}
