"""One journey that a reader can check by hand, field by field."""

from schemas.encoding.record_types import JOURNEY_STATE
from streams.journeys.state.state_hash import UNPREDICTED, state_hash
from tests.support.journeys import DAY, MINUTE, START, state, touchpoint

COOKIE = {"type": "cookie", "value": "c1"}
CUSTOMER = {"type": "customer_id", "value": "42"}

JOURNEY = [
    touchpoint("ad_click", 0, channel="ads", campaign="spring", experiments={"banner": "red"}),
    touchpoint("product_view", 1, sentiment=0.5),
    touchpoint("add_to_cart", 2),
    touchpoint("payment_error", 3),  # friction 2, ouch
    touchpoint("purchase", 5, amount_minor=4_990, currency="EUR", identifiers=[CUSTOMER], account_id="acme"),
    # a day after the failed payment its friction has halved
    touchpoint("shipment_late", 3 + 24 * 60, channel="backoffice"),  # friction 3, ouch; nobody's contact
    touchpoint("support_chat", 1500, channel="chat", issue_id="i1", session_id="conv-1", source="desk"),
    touchpoint("support_call", 1510, channel="phone", issue_id="i1", source="desk", sentiment=-0.5),
    touchpoint("refund_issued", 1520, channel="backoffice", amount_minor=990, currency="EUR"),
    touchpoint("nps_answered", 1530, score={"kind": "NPS", "value": 3}, consent={"email": "GRANTED"}),
]


def test_every_field_of_a_journey_that_can_be_checked_by_hand() -> None:
    found = state(*JOURNEY)

    def at(minutes: float) -> int:
        return START + round(minutes * MINUTE)

    decayed = 0.5 ** ((1500 - 3 - 1440) / 1440)  # from the late parcel to the chat, in days
    friction = ((2 / 2 + 3) * decayed + 0.5) * 0.5 ** (10 / 1440) + 1  # the chat, then the call
    friction *= 0.5 ** (20 / 1440)  # until the answer
    fade, fade_now = (0.5 ** (1509 * MINUTE / (days * DAY)) for days in (7, 1))
    sentiment, sentiment_now = ((0.5 * share - 0.5) / (share + 1) for share in (fade, fade_now))
    # weights of the failed payment, the late parcel, the chat and the call; contacting again, on another channel
    points = 2 + 3 + 0.5 + 1 + 2 + 1

    def use(touchpoints: int, last_at: int, inbound: int, good: int = 0, bad: int = 0) -> dict[str, int]:
        return {"touchpoints": touchpoints, "inbound": inbound, "good": good, "bad": bad, "last_at": last_at}

    click = {"occurred_at": START, "channel": "ads", "type": "ad_click", "campaign": "spring"}
    assert found == {
        "tenant": "default",
        "profile_id": "p1",
        "version": 7,
        "state_hash": found["state_hash"],
        "as_of": at(1530),
        "identifiers": [COOKIE, CUSTOMER],
        "account_id": "acme",
        "touchpoints": 10,
        "late": 0,
        "first_seen": START,
        "last_seen": at(1530),
        "stage": "service",
        "stage_since": at(1500),
        "stages": {
            "awareness": START,
            "consideration": at(1),
            "intent": at(2),
            "purchase": at(5),
            "service": at(1500),
        },
        "components": {"marketing": START, "commerce": at(1520), "service": at(1530)},
        # the visit, the named conversation, and the call with the answer 20 minutes later
        "sessions": 3,
        "session": {"session_id": None, "started_at": at(1510), "last_at": at(1530), "touchpoints": 2},
        "channels": {
            "ads": use(1, START, inbound=1),
            "web": use(5, at(1530), inbound=5, good=1, bad=1),  # the purchase, the failed payment
            "chat": use(1, at(1500), inbound=1),
            "phone": use(1, at(1510), inbound=1),
            # the refund; a late parcel is no contact, but no good outcome either
            "backoffice": use(1, at(1520), inbound=0, bad=1),
        },
        "last_channel": "web",
        "preferred_channel": "web",  # all have an even share of good outcomes, so the one most used
        "channel_switches": 4,  # ads, web, chat, phone, web
        "handoffs": 0,  # a chat has a person at our end, too
        "friction": round(friction, 6),
        "effort": round(100 * points / (points + 10), 2),
        "effort_answered": False,
        "ouch_moments": 2,
        "wow_moments": 0,
        "sentiment": round(sentiment, 6),
        "sentiment_trend": round(sentiment_now - sentiment, 6),
        "nps": 3.0,
        "csat": None,
        "ces": None,
        "open_issues": [
            {
                "issue_id": "i1",
                "opened_at": at(1500),
                "due_at": at(1500 + 72 * 60),
                "last_contact_at": at(1510),
                "contacts": 2,
                "channels": ["chat", "phone"],
            }
        ],
        "issues_solved": 0,
        "issues_first_contact": 0,
        "first_contact_resolution": None,
        "expectations": [
            {
                "kind": "cart",
                "opened_at": at(2),
                "due_at": at(5 + 30),
                "status": "MET",
                "event_id": "add_to_cart@2",
                "issue_id": None,
            },
            {
                "kind": "case",
                "opened_at": at(1500),
                "due_at": at(1500 + 72 * 60),
                "status": "OPEN",
                "event_id": "support_chat@1500",
                "issue_id": "i1",
            },
        ],
        "carts": 1,
        "carts_met": 1,
        "consent": {"email": "GRANTED"},
        "orders": 1,
        "orders_returned": 0,
        "orders_cancelled": 0,
        "revenue": {"EUR": 4_000},
        "first_campaign": "spring",
        "last_campaign": "spring",
        "marketing_touches": 1,
        "marketing_first": click,
        "marketing_last": click,
        "experiments": {"banner": "red"},
        "recent": [
            {
                "event_id": item["event_id"],
                "occurred_at": item["occurred_at"],
                "channel": item["channel"],
                "type": item["type"],
            }
            for item in JOURNEY
        ],
        **UNPREDICTED,
    }


def test_a_state_survives_the_codec() -> None:
    found = state(*JOURNEY)
    read = JOURNEY_STATE.decode(JOURNEY_STATE.encode(found))
    assert read == found
    assert state_hash(read) == found["state_hash"]  # type: ignore[arg-type]


def test_the_hash_covers_every_field_but_version_and_predictions() -> None:
    found = state(*JOURNEY)
    predicted = {
        "likely_next": [{"type": "home", "probability": 1.0}],
        "issue_risk": 0.5,
        "model_version": "1",
    }
    assert state_hash(found | {"version": 8, **predicted}) == found["state_hash"]
    other = state(
        touchpoint("purchase", 9999, session_id="s2", account_id="bolt", score=CES, **SOLVED), *MORE
    )
    for name in found.keys() - {"version", "state_hash", *UNPREDICTED}:
        changed = {"tenant": "t2", "profile_id": "p2", "late": 1}.get(name, other[name])  # type: ignore[literal-required]
        assert changed != found[name], name  # type: ignore[literal-required]
        assert state_hash(found | {name: changed}) != found["state_hash"], name


def test_the_hash_is_the_one_that_was_published_before() -> None:
    # a change here makes every published state look changed: bump it knowingly
    assert state(touchpoint())["state_hash"] == "ba9914a8564c99f523dcff5dda4829eb"


def test_an_unknown_type_is_kept_as_other() -> None:
    found = state(touchpoint("teleported", 1, channel="hologram"))
    assert (found["touchpoints"], found["components"]) == (1, {"other": found["as_of"]})
    assert (found["stage"], found["friction"], found["sessions"]) == ("", 0.0, 1)
    assert found["channels"]["hologram"]["inbound"] == 1


def test_a_late_touchpoint_never_moves_the_stage_back() -> None:
    found = state(touchpoint("purchase", 10), touchpoint("ad_click", 5))
    assert (found["stage"], found["stage_since"]) == ("purchase", found["as_of"])


def test_friction_halves_in_a_day_and_adds_up() -> None:
    assert state(touchpoint("shipment_lost"), touchpoint("home", 24 * 60))["friction"] == 2.0
    assert state(touchpoint("app_crash"), touchpoint("app_crash", 24 * 60))["friction"] == 3.0


def test_two_currencies_are_kept_apart_and_a_return_is_taken_off() -> None:
    found = state(
        touchpoint("purchase", 0, amount_minor=500, currency="EUR"),
        touchpoint("purchase", 1, amount_minor=300, currency="USD"),
        touchpoint("order_returned", 2, amount_minor=500, currency="EUR"),
    )
    assert (found["orders"], found["orders_returned"]) == (2, 1)
    assert found["revenue"] == {"EUR": 0, "USD": 300}


def test_a_whole_number_and_a_float_score_are_the_same_state() -> None:
    answers = [touchpoint("nps_answered", score={"kind": "NPS", "value": value}) for value in (9, 9.0)]
    assert state(answers[0])["state_hash"] == state(answers[1])["state_hash"]


#: Touchpoints that change every field of JOURNEY's state that nothing else does.
CES = {"kind": "CES", "value": 2}
SOLVED = {"sentiment": 0.1, "campaign": "autumn", "channel": "phone", "consent": {"sms": "DENIED"}}
MORE = [
    touchpoint("ad_click", -9, channel="ads", campaign="winter", experiments={"banner": "blue"}, currency=None),
    touchpoint("support_chat", 1, channel="chatbot", issue_id="i2", sentiment=0.9),
    touchpoint("support_call", 2, channel="phone", issue_id="i2"),
    touchpoint("issue_solved", 3, channel="phone", issue_id="i2"),
    touchpoint("support_chat", 4, channel="chatbot", issue_id="i3"),
    touchpoint("issue_solved", 5, channel="phone", issue_id="i3"),
    touchpoint("order_returned", 6), touchpoint("order_cancelled", 7), touchpoint("purchase", 8),
    touchpoint("referral_made", 9), touchpoint("add_to_cart", 900), touchpoint("add_to_cart", 990),
    touchpoint("csat_answered", 10, score={"kind": "CSAT", "value": 4}), touchpoint("app_crash", 9990),
    touchpoint("app_crash", 9991), touchpoint("app_crash", 9992), touchpoint("app_crash", 9993),
    touchpoint("home", 9994, account_id="zulu"), touchpoint("ad_click", 9994.5),
    *(touchpoint("cart", 9995 + number / 10, channel=("web", "app")[number % 2]) for number in range(9)),
]  # fmt: skip
