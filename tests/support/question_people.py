"""People about whom questions are asked: on every edge of the definitions, and few enough to reckon by hand."""

from random import Random
from typing import Any

from schemas.records import Touchpoint
from tests.support.touchpoints import START, touchpoint

MINUTE, DAY = 60_000, 86_400_000

TYPES = (
    "product_view", "product_view", "add_to_cart", "checkout_started", "order_placed", "ad_click", "email_sent",
    "email_clicked", "chatbot_escape", "support_call", "payment_error", "order_returned", "unheard_of",
)  # fmt: skip
CHANNELS = ("web", "app", "phone", "chat", "ads", "email")
PAUSES = (0, 0, 1, 999, MINUTE, 29 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, DAY, 6 * DAY, 7 * DAY, 9 * DAY)


def on_edges(tenant: str, seed: int, people: int = 24, events: int = 480) -> list[Touchpoint]:
    """Touchpoints of one millisecond, before and after 1970, on the limits of windows and sessions; merges and a split.

    Every tenth comes twice, every tenth late; orders are told of twice; devices are shared by two customers.
    """
    random = Random(seed)
    clock = {n: (START if n % 2 else -3 * DAY) for n in range(people)}
    found: list[Touchpoint] = []
    for number in range(events):
        visitor = random.randrange(people)
        clock[visitor] += random.choice(PAUSES)
        ids = [("cookie", f"c{visitor}")]
        if random.random() < 0.15:
            # two cookies of a customer merge; cookie 0 is a device that four customers share
            ids.append(("customer_id", f"k{random.randrange(4) if visitor == 0 else visitor // 2}"))
        found.append(
            touchpoint(
                f"e{number}", type=random.choice(TYPES), ids=ids, **_fields(random, clock[visitor], tenant)
            )
        )
    again = random.sample(found, events // 10)
    late = random.sample(found, events // 10)
    arriving = [event for event in found if event not in late] + late
    return [*arriving, *again]


def _fields(random: Random, at: int, tenant: str) -> dict[str, Any]:
    money = random.choice([None, 0, 999, 12_345])
    return {
        "tenant": tenant, "occurred_at": at, "received_at": at + random.choice([0, 1, 90_000]),
        "channel": random.choice(CHANNELS), "source": random.choice(["shop", "till"]),
        "campaign": random.choice([None, None, "spring", "autumn"]), "account_id": random.choice([None, None, "acme"]),
        "session_id": random.choice([None, None, "1"]), "issue_id": random.choice([None, "i1"]),
        "order_id": random.choice([None, "o1", "o2"]), "amount_minor": money,
        "currency": None if money is None else random.choice(["EUR", "CHF"]),
        "experiments": random.choice([{}, {"checkout": "a"}, {"checkout": "b"}]),
    }  # fmt: skip


def by_hand(tenant: str) -> list[Touchpoint]:
    """Four people and their marketing: three convert. The paths: A C B → 100, A → 50, A B → nothing, B C → 150.

    The sessions in which they order hold no marketing, so (direct) ends the paths of the three.
    """
    types = {"A": ("ad_click", "ads"), "B": ("email_clicked", "email"), "C": ("social_view", "social")}
    found: list[Touchpoint] = []
    for person, (way, money) in enumerate([("ACB", 100), ("A", 50), ("AB", None), ("BC", 150)]):
        told: dict[str, Any] = {"tenant": tenant, "ids": [("cookie", f"hand{person}")]}
        for day, letter in enumerate(way):
            name, channel = types[letter]
            found.append(touchpoint(f"{person}-{day}", minute=day * 1440, type=name, channel=channel, **told))
        if money:
            at = len(way) * 1440
            found.append(touchpoint(f"{person}-cart", minute=at, type="add_to_cart", **told))
            bought = {"type": "order_placed", "amount_minor": money, "currency": "EUR"}
            found.append(touchpoint(f"{person}-order", minute=at, **bought, **told))
    return found
