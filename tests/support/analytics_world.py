"""A small world for the truth tests of question views: simulated customers, and a crowd that lives on the edges.

Merges, contested devices, late touchpoints, repeats, copies with another time, ties and every kind of field are in it.
"""

from random import Random
from typing import Any, Final

from deploy.simulation.population import Population, simulate
from schemas.records import Touchpoint
from tests.support.journeys import DAY, HOUR, MINUTE
from tests.support.touchpoints import START, touchpoint

DAYS: Final = 30
SERVICE: Final = (
    "support_call", "support_chat", "support_email", "help_page", "issue_opened", "issue_reopened", "complaint",
    "issue_solved", "issue_solved", "chatbot_solved", "issue_updated", "support_reply", "csat_answered", "unheard_of",
)  # fmt: skip
MONEY: Final = (
    "order_placed", "store_purchase", "order_completed", "order_returned", "order_cancelled", "refund_issued",
)  # fmt: skip
OTHER: Final = (
    "product_view", "ad_click", "webinar_attended", "checkout_bug", "shipment_late", "review_written", "account_closed",
    "nps_answered", "ces_answered", "consent_changed", "email_sent", "quote_sent", "add_to_cart",
)  # fmt: skip
PAUSES: Final = (0, 0, 1, 20 * MINUTE, 31 * MINUTE, 5 * HOUR, DAY, 4 * DAY)


def world(seed: int = 1) -> list[Touchpoint]:
    """All touchpoints in the order of their arrival, repeats and copies among them."""
    events = [
        *simulate(Population(people=60, events=2500, seed=seed)),
        *crowd(seed, visitors=50, events=3000),
    ]
    return sorted(events, key=lambda event: event["received_at"])


def crowd(seed: int, visitors: int, events: int) -> list[Touchpoint]:
    """Visitors who do anything at any time, two of three with a customer number that joins two cookies."""
    random = Random(seed)
    clock = {visitor: START + random.randrange(DAY) for visitor in range(visitors)}
    found = []
    for number in range(events):
        visitor = random.randrange(visitors)
        clock[visitor] += random.choice(PAUSES)
        event = _event(random, number, visitor, clock[visitor])
        found.append(event)
        if random.random() < 0.04:
            later = event["received_at"] + random.choice((0, 5, HOUR))
            moved = event["occurred_at"] + random.choice((0, -1000))
            found.append({**event, "received_at": later, "occurred_at": min(moved, later)})
    return found


def _event(random: Random, number: int, visitor: int, at: int) -> Touchpoint:
    kind = random.choice((*SERVICE, *MONEY, *OTHER))
    ids = [("cookie", f"edge-{visitor}")]
    if visitor % 3 and random.random() < 0.3:
        ids.append(("customer_id", f"edge-{visitor // 2}"))
    late = random.choice((0, 0, 0, 40, 3000, 7 * HOUR))
    return touchpoint(
        f"edge-{number}", type=kind, ids=ids, occurred_at=at, received_at=at + late,
        source=random.choice(("shop", "app", "crm")),
        channel=random.choice(("web", "app", "phone", "chat", "telephone", "email")),
        session_id=random.choice((None, None, "1", "2")),
        campaign=random.choice((None, None, "spring", "brand")),
        account_id=random.choice((None, f"acc-{visitor % 4}")),
        **_content(random, kind, visitor),
    )  # fmt: skip


def _content(random: Random, kind: str, visitor: int) -> dict[str, Any]:
    content: dict[str, Any] = {"experiments": {}, "consent": {}}
    if kind in SERVICE and random.random() < 0.8:
        content["issue_id"] = f"edge-{visitor // 2}-{random.randrange(4)}"
    if kind in MONEY:
        content["order_id"] = random.choice((None, f"order-{visitor}-{random.randrange(6)}"))
        if random.random() < 0.8:
            content["amount_minor"] = random.randrange(-500, 20_000)
            content["currency"] = random.choice(("EUR", "JPY", "KWD", "XAU"))
    if kind.endswith("_answered"):
        name = kind.removesuffix("_answered").upper()
        lowest, highest = {"NPS": (0, 10), "CSAT": (1, 5), "CES": (1, 7)}[name]
        content["score"] = {"kind": name, "value": float(random.randint(lowest, highest))}
    if kind == "consent_changed":
        decisions = ("GRANTED", "DENIED", "REVOKED")
        content["consent"] = {
            p: random.choice(decisions) for p in ("marketing", "sms") if random.random() < 0.7
        }
    if random.random() < 0.2:
        content["experiments"]["checkout"] = "B" if visitor % 2 else "A"
        if random.random() < 0.03:
            content["experiments"]["checkout"] = "C"
    return content
