"""One journey that a reader can check by hand, field by field."""

from schemas.codec import decode_as, encode
from streams.journeys.state_hash import state_hash
from tests.unit.journeys.builders import DAY, MINUTE, START, state, touchpoint

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
    fade = 0.5 ** (1509 * MINUTE / (7 * DAY))
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
            "ads": {"touchpoints": 1, "last_at": START},
            "web": {"touchpoints": 5, "last_at": at(1530)},
            "chat": {"touchpoints": 1, "last_at": at(1500)},
            "phone": {"touchpoints": 1, "last_at": at(1510)},
            "backoffice": {"touchpoints": 1, "last_at": at(1520)},  # the refund; a late parcel is no contact
        },
        "last_channel": "web",
        "channel_switches": 4,  # ads, web, chat, phone, web
        "handoffs": 0,  # a chat has a person at our end, too
        "friction": round(friction, 6),
        "ouch_moments": 2,
        "wow_moments": 0,
        "sentiment": round((0.5 * fade - 0.5) / (fade + 1), 6),
        "nps": 3.0,
        "csat": None,
        "ces": None,
        "open_issues": [
            {
                "issue_id": "i1",
                "opened_at": at(1500),
                "last_contact_at": at(1510),
                "contacts": 2,
                "channels": ["chat", "phone"],
            }
        ],
        "issues_solved": 0,
        "expectations": [
            {
                "kind": "cart",
                "opened_at": at(2),
                "due_at": at(5 + 30),
                "status": "MET",
                "event_id": "add_to_cart@2",
            }
        ],
        "carts": 1,
        "carts_met": 1,
        "consent": {"email": "GRANTED"},
        "orders": 1,
        "revenue": {"EUR": 4_000},
        "first_campaign": "spring",
        "last_campaign": "spring",
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
    }


def test_a_state_survives_the_codec() -> None:
    found = state(*JOURNEY)
    read = decode_as("JourneyState", encode("JourneyState", found))
    assert read == found
    assert state_hash(read) == found["state_hash"]  # type: ignore[arg-type]


def test_the_hash_covers_every_field_but_version() -> None:
    found = state(*JOURNEY)
    assert state_hash(found | {"version": 8}) == found["state_hash"]  # type: ignore[arg-type]
    for name in found.keys() - {"version", "state_hash"}:
        assert state_hash(found | {name: "other"}) != found["state_hash"], name  # type: ignore[arg-type]


def test_the_hash_is_the_one_that_was_published_before() -> None:
    # a change here makes every published state look changed: bump it knowingly
    assert state(touchpoint())["state_hash"] == "753438d66380ee23daa8bc4c8680f1e1"


def test_an_unknown_type_is_kept_as_other() -> None:
    found = state(touchpoint("teleported", 1, channel="hologram"))
    assert (found["touchpoints"], found["components"]) == (1, {"other": found["as_of"]})
    assert (found["stage"], found["friction"], found["sessions"]) == ("", 0.0, 1)
    assert found["channels"] == {"hologram": {"touchpoints": 1, "last_at": found["as_of"]}}


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
    assert (found["orders"], found["revenue"]) == (2, {"EUR": 0, "USD": 300})


def test_a_whole_number_and_a_float_score_are_the_same_state() -> None:
    answers = [touchpoint("nps_answered", score={"kind": "NPS", "value": value}) for value in (9, 9.0)]
    assert state(answers[0])["state_hash"] == state(answers[1])["state_hash"]
