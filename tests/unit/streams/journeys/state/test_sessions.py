"""Where a session begins and ends."""

import pytest

from streams.journeys.state.sessions import SessionPool, Sessions
from tests.support.journeys import DAY, MINUTE, RULES, START, state, touchpoint


def views(*minutes: float, **fields: object) -> int:
    return state(*(touchpoint(minute=minute, **fields) for minute in minutes))["sessions"]


@pytest.mark.parametrize(
    ("minutes", "sessions"),
    [
        ((0, 30), 1),
        ((0, 30 + 1 / 60_000), 2),
        ((0, 31), 2),
        ((0, 30, 60, 90), 1),
        ((24 * 60 - 10, 24 * 60 + 10), 1),  # across midnight
    ],
)
def test_a_pause_of_more_than_30_minutes_ends_a_session_and_midnight_does_not(
    minutes: tuple[float, ...], sessions: int
) -> None:
    assert views(*minutes) == sessions


def test_a_campaign_does_not_split_a_session() -> None:
    assert state(touchpoint(campaign="a"), touchpoint(minute=1, campaign="b"))["sessions"] == 1


def test_a_sources_own_session_outlasts_any_pause() -> None:
    assert views(0, 600, 1200, session_id="s1") == 1


def test_a_session_id_counts_per_source() -> None:
    assert (
        state(touchpoint(session_id="1"), touchpoint(minute=1, session_id="1", source="app"))["sessions"] == 2
    )


def test_a_session_without_pauses_ends_after_3_days() -> None:
    half_hours = range(0, 3 * 24 * 60 + 30, 30)
    assert views(*half_hours) == 1
    assert views(*half_hours, half_hours[-1] + 30) == 2


def test_a_named_session_ends_after_3_days_too() -> None:
    cap = 3 * 24 * 60
    assert views(0, cap, session_id="s1") == 1
    assert views(0, cap, cap + 1, cap + 2, session_id="s1") == 2


def test_what_we_send_is_no_session() -> None:
    found = state(touchpoint("email_sent", 0, channel="email"), touchpoint("shipment_late", 1))
    assert (found["sessions"], found["session"], found["last_channel"]) == (0, None, "")
    assert found["channels"] == {
        "email": {"touchpoints": 1, "inbound": 0, "good": 0, "bad": 0, "last_at": START}
    }


def test_a_conversation_beside_a_visit_leaves_the_visit_whole() -> None:
    found = state(
        touchpoint(minute=0), touchpoint("support_chat", 10, session_id="c1"), touchpoint(minute=20)
    )
    assert found["sessions"] == 2
    assert found["session"] == {
        "session_id": None,
        "started_at": START,
        "last_at": START + 20 * MINUTE,
        "touchpoints": 2,
    }


def test_sessions_that_nothing_can_join_are_let_go() -> None:
    sessions = Sessions(RULES)
    for day in range(1000):
        sessions.touch(START + day * DAY, "web-shop", f"s{day}")
    assert sessions.count == 1000
    assert len(sessions.dump(SessionPool())["named_sessions"]) <= 4
