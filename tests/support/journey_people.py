"""A person made by hand for the journey screen."""

from dataclasses import replace
from typing import Any

from deploy.screens.journey.context import Context, context
from deploy.screens.journey.facts import Facts, OpenIssue, Promise, RaisedSignal, Touch
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import START

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GAP = 30 * MINUTE


def touch(type: str, at: int, channel: str = "web", issue_id: str = "") -> Touch:  # noqa: A002
    """A touchpoint `at` milliseconds after START."""
    return Touch(START + at, f"{type}@{at}", channel, type, issue_id)


CALL = 4 * DAY + 9 * HOUR
TOUCHES = (
    touch("email_sent", 0, "email"),
    touch("email_clicked", 2 * HOUR, "email"),
    *(touch("product_view", 2 * HOUR + n * MINUTE) for n in range(1, 6)),
    touch("add_to_cart", 2 * HOUR + 7 * MINUTE),
    touch("order_placed", 2 * HOUR + 12 * MINUTE),
    touch("order_delivered", 3 * DAY, "backoffice"),
    touch("help_page", CALL - 3 * HOUR),
    touch("chatbot_message", CALL - 3 * HOUR + 2 * MINUTE, "chatbot", "case-7"),
    touch("chatbot_escape", CALL - 3 * HOUR + 6 * MINUTE, "chatbot", "case-7"),
    touch("add_to_cart", CALL - HOUR),
    touch("payment_error", CALL - 55 * MINUTE),
    touch("support_call", CALL, "phone", "case-7"),
)
NOW = START + CALL + 12 * MINUTE


def state(**fields: Any) -> dict[str, Any]:
    at = START + CALL
    return {
        "tenant": "default", "profile_id": "6b1d2c0e-6a3f-5b52-9d0c-6d7f3a7e1b11", "as_of": at,
        "identifiers": [("cookie", "ck-81f2"), ("cookie", "ck-9a00"), ("customer_id", "C100042"),
                        ("email", "hmac:k1:4ebb00d6849cf50d4ebb00d6849cf50d")],
        "account_id": "A1002", "touchpoints": len(TOUCHES), "stage": "service", "stage_since": at - 3 * HOUR,
        "sessions": 4, "session_last_at": at, "session_started_at": at, "session_touchpoints": 1,
        "first_seen": START, "last_seen": at, "channels": {"web": 9, "phone": 1}, "last_channel": "phone",
        "preferred_channel": "web", "channels_good": {"web": 1}, "channels_bad": {"web": 1}, "channel_switches": 5,
        "handoffs": 1, "friction": 4.21, "effort": 41.2, "ouch_moments": 2, "wow_moments": 1, "sentiment": -0.35,
        "nps": None, "csat": 2.0, "ces": None, "consent": {"marketing": "GRANTED", "profiling": "REVOKED"},
        "orders": 1, "revenue": {"EUR": 12990}, "stages": {"service": at},
    } | fields  # fmt: skip


def facts(**fields: Any) -> Facts:
    at = START + CALL
    whole = Facts(
        merged_from=None,
        tenant="default",
        asked="email:ann@shop.de",
        profile_id="6b1d2c0e-6a3f-5b52-9d0c-6d7f3a7e1b11",
        shared_from=None,
        state=state(),
        issues=(OpenIssue("case-7", at - 3 * HOUR, at, 3, ("chatbot", "phone"), at + 3 * DAY),),
        promises=(
            Promise("cart", START + 2 * HOUR, START + 3 * HOUR, "MET"),
            Promise("cart", at - HOUR, at - 25 * MINUTE, "MISSED"),
        ),
        touches=TOUCHES,
        signals=(
            RaisedSignal("friction_spike", at, "friction_spike", {"friction": "5.20"}),
            RaisedSignal("abandoned_cart", at - 25 * MINUTE, "abandoned_cart", {}),
        ),
        account={
            "account_id": "A1002", "members": 2, "stages": {"intent": 1, "service": 1}, "open_issues": 1, "orders": 3,
            "revenue": {"EUR": 41970}, "last_at": at, "last_type": "support_call", "last_channel": "phone",
        },
    )  # fmt: skip
    return replace(whole, **fields)


def known(now: int = NOW, **fields: Any) -> Context:
    """The context of the person, some facts replaced."""
    return context(facts(**fields), CATALOGUE, GAP, now)
