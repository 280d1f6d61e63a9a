"""Episodes of simulated customers: a visit, an order or a case, each with its touchpoints in order.

Types and channels are those of schemas/catalogue.toml.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from deploy.simulation.people import Person

SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

CAMPAIGNS: Final = ("spring-sale", "newsletter-12", "retarget-cart", "brand-search", "loyalty-week")
PURPOSES: Final = ("marketing", "analytics", "personalisation")
#: Placeholders that a call centre's own number and an anonymous sale at a till send as identifiers.
BLOCKED_VALUES: Final = ("anonymous", "0", "unknown", "guest")
TROUBLES: Final = ("shipment_late", "invoice_wrong", "payment_failed", "order_returned", "device_failure")


@dataclass
class Step:
    """The plan of one touchpoint: time, type, channel, identifiers; `extra` holds its optional fields."""

    at: int
    type: str
    channel: str
    identifiers: list[tuple[str, str]]
    extra: dict[str, Any] = field(default_factory=dict)


Episode = Callable[[Person, int, Random], Iterator[Step]]


def browse(person: Person, at: int, random: Random) -> Iterator[Step]:
    """A visit to the web shop: pages, perhaps a log-in, a cart, and often nothing more."""
    cookie = [("cookie", random.choice(person.cookies))]
    if random.random() < 0.35:
        campaign = random.choice(CAMPAIGNS)
        yield Step(at, "ad_click", "ads", cookie, {"campaign": campaign})
        at += random.randint(1, 20) * SECOND
        yield Step(at, "landing_page", "web", cookie, {"campaign": campaign})
    for _ in range(random.randint(1, 6)):
        at += random.randint(5, 180) * SECOND
        kind = random.choices(
            ("home", "catalog", "search", "product_view", "compare", "review_page"), (2, 3, 3, 6, 1, 1)
        )
        yield Step(at, kind[0], "web", cookie)
    known = cookie
    if random.random() < 0.45:
        at += random.randint(5, 60) * SECOND
        known = [*cookie, ("customer_id", person.customer_id)]
        if not person.signed_up:
            person.signed_up = True
            yield Step(
                at,
                "sign_up",
                "web",
                [*known, ("email", person.email)],
                {"link": "ASSERTED", **_consent(random)},
            )
        elif random.random() < 0.1:
            yield Step(at, "login_failed", "web", cookie)
        else:
            yield Step(at, "login", "web", known)
    if random.random() < 0.4:
        yield from _buy(person, at, known, "web", random)


def use_app(person: Person, at: int, random: Random) -> Iterator[Step]:
    """A use of the app. Its touchpoints carry device and customer id."""
    known = [("device_id", person.device_id), ("customer_id", person.customer_id)]
    session = {"session_id": f"app-{person.code}-{at}"}
    yield Step(at, "app_opened", "app", known, dict(session))
    for _ in range(random.randint(1, 4)):
        at += random.randint(5, 120) * SECOND
        yield Step(
            at, random.choice(("catalog", "product_view", "account_page")), "app", known, dict(session)
        )
    if random.random() < 0.03:
        yield Step(at + SECOND, "app_crash", "app", known, dict(session))
    elif random.random() < 0.35:
        yield from _buy(person, at, known, "app", random)


def campaign_mail(person: Person, at: int, random: Random) -> Iterator[Step]:
    """A marketing mail: some people open it, fewer click and browse, a few unsubscribe."""
    who = [("email", person.email)]
    campaign = {"campaign": random.choice(CAMPAIGNS)}
    yield Step(at, "email_sent", "email", who, dict(campaign))
    if random.random() < 0.4:
        at += random.randint(1, 600) * MINUTE
        yield Step(at, "email_opened", "email", who, dict(campaign))
        if random.random() < 0.4:
            at += random.randint(2, 60) * SECOND
            cookie = ("cookie", random.choice(person.cookies))
            yield Step(at, "email_clicked", "email", [*who, cookie], dict(campaign))
            yield Step(at + 5 * SECOND, "product_view", "web", [cookie], dict(campaign))
        elif random.random() < 0.06:
            revoked = {"consent": {"marketing": "REVOKED"}}
            yield Step(at + MINUTE, "newsletter_unsubscribed", "email", who, revoked)


def visit_store(person: Person, at: int, random: Random) -> Iterator[Step]:
    """A visit to a store. The loyalty card carries the customer id; some customers show none."""
    shows_card = random.random() < 0.7
    who = [("customer_id", person.customer_id)] if shows_card else [("phone", person.phone)]
    yield Step(at, "store_visit", "store", who)
    if random.random() < 0.6:
        at += random.randint(5, 40) * MINUTE
        yield Step(at, "store_purchase", "store", who, _money(person, random))


def trouble(person: Person, at: int, random: Random) -> Iterator[Step]:
    """Something went wrong: a case over several contacts and channels, then solved, or not."""
    case = {"issue_id": f"case-{person.code}-{at}"}
    customer = [("customer_id", person.customer_id)]
    caller = [("phone", person.phone)]
    yield Step(at, random.choice(TROUBLES), "backoffice", customer)
    at += random.randint(5, 48 * 60) * MINUTE
    if random.random() < 0.5:
        cookie = [("cookie", random.choice(person.cookies))]
        yield Step(at, "help_page", "web", cookie)
        at += 2 * MINUTE
        yield Step(at, "chatbot_message", "chatbot", [*cookie, *customer], {**case, **_feeling(random, -0.2)})
        if random.random() < 0.3:
            yield Step(at + 3 * MINUTE, "chatbot_solved", "chatbot", [*cookie, *customer], dict(case))
            return
        at += 4 * MINUTE
        yield Step(at, "chatbot_escape", "chatbot", [*cookie, *customer], {**case, **_feeling(random, -0.5)})
    yield Step(at + MINUTE, "issue_opened", "phone", [*customer, *caller], {**case, **_feeling(random, -0.4)})
    for contact in range(random.randint(0, 3)):
        at += random.randint(2, 72) * HOUR
        yield from _contact(person, at, case, contact, random)
    if random.random() < 0.1:
        yield Step(
            at + HOUR, "complaint", "email", [("email", person.email)], {**case, **_feeling(random, -0.8)}
        )
    if random.random() < 0.8:
        at += random.randint(1, 30) * HOUR
        yield Step(at, "issue_solved", "phone", customer, dict(case))
        if random.random() < 0.5:
            yield from _survey(person, at + random.randint(1, 20) * HOUR, random)


def change_consent(person: Person, at: int, random: Random) -> Iterator[Step]:
    """The preference centre: consents given and taken back."""
    cookie = random.choice(person.cookies)
    who = [("cookie", cookie), ("customer_id", person.customer_id)]
    yield Step(at, "consent_changed", "web", who, _consent(random))


#: Relative frequency of each episode.
EPISODES: Final[tuple[tuple[Episode, int], ...]] = (
    (browse, 50), (use_app, 18), (campaign_mail, 16), (visit_store, 6), (trouble, 7), (change_consent, 3),
)  # fmt: skip


def _buy(person: Person, at: int, who: list[tuple[str, str]], channel: str, random: Random) -> Iterator[Step]:
    """A cart. Three of ten become orders; the others end in the cart, in the checkout or in a failed payment."""
    at += random.randint(10, 90) * SECOND
    yield Step(at, "add_to_cart", channel, who)
    if random.random() < 0.5:
        return
    at += random.randint(10, 120) * SECOND
    yield Step(at, "checkout_started", channel, who)
    at += random.randint(10, 120) * SECOND
    if random.random() < 0.2:
        yield Step(at, "payment_error", channel, who)
        if random.random() > person.patience:
            return
        at += random.randint(20, 200) * SECOND
    if random.random() < 0.25:
        return
    buyer = [*who, ("email", person.email)]
    order = _money(person, random)
    yield Step(at, "order_placed", channel, buyer, order)
    yield Step(at + 2 * MINUTE, "order_confirmed", "email", [("email", person.email)])
    arrives = at + random.randint(20, 96) * HOUR
    yield Step(arrives, "order_delivered", "backoffice", [("customer_id", person.customer_id)])
    if random.random() < 0.08:
        refund: dict[str, Any] = {
            name: order[name] for name in ("amount_minor", "currency", "account_id") if name in order
        }
        yield Step(arrives + 3 * DAY, "order_returned", channel, buyer, refund)


def _contact(person: Person, at: int, case: dict[str, Any], contact: int, random: Random) -> Iterator[Step]:
    """A contact about a case, on a random channel. Some calls come from a withheld number."""
    way = random.choice(("support_call", "support_chat", "support_email"))
    customer = ("customer_id", person.customer_id)
    feeling = _feeling(random, -0.3 - 0.2 * contact)
    if way == "support_call":
        number = random.choice(BLOCKED_VALUES) if random.random() < 0.25 else person.phone
        call = {**case, "session_id": f"call-{person.code}-{at}"}
        yield Step(at, "support_call", "phone", [("phone", number), customer], {**call, **feeling})
        if random.random() < 0.3:
            yield Step(at + 4 * MINUTE, "transfer", "phone", [customer], dict(call))
            yield Step(at + 6 * MINUTE, "information_repeated", "phone", [customer], dict(call))
    elif way == "support_chat":
        chat = {**case, "session_id": f"chat-{person.code}-{at}"}
        yield Step(
            at,
            "support_chat",
            "chat",
            [("cookie", random.choice(person.cookies)), customer],
            {**chat, **feeling},
        )
    else:
        yield Step(at, "support_email", "email", [("email", person.email)], {**case, **feeling})
        yield Step(at + 3 * HOUR, "support_reply", "email", [("email", person.email)], dict(case))


def _survey(person: Person, at: int, random: Random) -> Iterator[Step]:
    kind, lowest, highest = random.choice((("NPS", 0, 10), ("CSAT", 1, 5), ("CES", 1, 7)))
    score = {"score": {"kind": kind, "value": float(random.randint(lowest, highest))}}
    yield Step(at, f"{kind.lower()}_answered", "email", [("email", person.email)], score)


def _money(person: Person, random: Random) -> dict[str, Any]:
    order: dict[str, Any] = {"amount_minor": random.randint(990, 45_000), "currency": person.currency}
    if person.account_id is not None:
        order["account_id"] = person.account_id
    return order


def _feeling(random: Random, mean: float) -> dict[str, Any]:
    return {"sentiment": max(-1.0, min(1.0, round(random.gauss(mean, 0.3), 2)))}


def _consent(random: Random) -> dict[str, Any]:
    decisions = ("GRANTED", "GRANTED", "DENIED", "REVOKED")
    return {"consent": {purpose: random.choice(decisions) for purpose in PURPOSES if random.random() < 0.7}}
