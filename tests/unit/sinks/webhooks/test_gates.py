"""Consent, caps and quiet hours: decided before every attempt, by the newest that the service knows."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.webhooks.endpoints import DAY_MS, Cap, Consent, Quiet
from sinks.webhooks.gates import AGAIN_MS, FRESH_MS, STATE_MS, View, Wait, Withhold, decide, quiet_until
from sinks.webhooks.verdicts import Reason
from tests.support.webhooks import NOW, endpoint, message, state

VIENNA = ZoneInfo("Europe/Vienna")
NIGHT = Quiet(time(21), time(8), VIENNA)
ASKS = endpoint(consent=Consent("marketing"))


def at(text: str) -> int:
    """UTC ms of a local time in Vienna."""
    return int(datetime.fromisoformat(text).replace(tzinfo=VIENNA).timestamp() * 1000)


def utc(moment: int | None) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%m-%d %H:%M")


@pytest.mark.parametrize(
    ("decision", "opt_out", "may"),
    [
        ("GRANTED", False, True), ("DENIED", False, False), ("REVOKED", False, False), (None, False, False),
        ("GRANTED", True, True), ("DENIED", True, False), ("REVOKED", True, False), (None, True, True),
    ],
)  # fmt: skip
def test_a_purpose_must_be_granted_or_with_opt_out_not_withdrawn(decision, opt_out, may) -> None:
    asks = endpoint(consent=Consent("marketing", opt_out))
    view = View(
        state(consent={"other": "GRANTED"} | ({} if decision is None else {"marketing": decision})), NOW
    )

    assert decide(asks, message(), view, 0, NOW) == (None if may else Withhold(Reason.CONSENT))


def test_a_retraction_passes_every_gate() -> None:
    strict = endpoint(consent=Consent("marketing"), quiet=NIGHT, cap=Cap(1, DAY_MS))
    revoked = View(state(consent={"marketing": "REVOKED"}), 0)

    assert decide(strict, message(wanted="RETRACTED"), revoked, 5, at("2026-01-01 23:00")) is None


def test_nothing_that_needs_consent_is_told_by_a_view_that_is_too_old() -> None:
    granted = state(consent={"marketing": "GRANTED"})
    assert decide(ASKS, message(), View(granted, NOW - FRESH_MS), 0, NOW) is None
    assert decide(ASKS, message(), View(granted, NOW - FRESH_MS - 1), 0, NOW) == Wait(NOW + AGAIN_MS)
    assert decide(ASKS, message(), View(granted, NOW + FRESH_MS + 1), 0, NOW) == Wait(NOW + AGAIN_MS), (
        "the clock was set back"
    )


def test_nothing_is_told_by_a_state_that_is_older_than_the_signal() -> None:
    granted = {"consent": {"marketing": "GRANTED"}}
    signal = message(version=2 * 7 + 1)
    assert decide(ASKS, signal, View(state(7, **granted), NOW), 0, NOW) is None
    assert decide(ASKS, signal, View(state(6, **granted), NOW), 0, NOW) == Wait(NOW + AGAIN_MS)
    assert decide(ASKS, signal, View(None, NOW), 0, NOW) == Wait(NOW + AGAIN_MS)
    later = NOW + STATE_MS
    assert decide(ASKS, signal, View(None, later), 0, later) == Withhold(Reason.NO_STATE)
    assert decide(endpoint(), signal, View(None, 0), 0, NOW) is None, "without a purpose nobody asks"


def test_a_cap_withholds_what_is_beyond_it() -> None:
    capped = endpoint(cap=Cap(2, DAY_MS))
    assert decide(capped, message(), View(None, 0), 1, NOW) is None
    assert decide(capped, message(), View(None, 0), 2, NOW) == Withhold(Reason.CAP)


def test_quiet_hours_end_in_the_morning_of_their_zone() -> None:
    assert utc(quiet_until(NIGHT, at("2026-01-01 21:00"))) == "01-02 07:00"
    assert utc(quiet_until(NIGHT, at("2026-01-02 07:59"))) == "01-02 07:00"
    assert quiet_until(NIGHT, at("2026-01-02 08:00")) is None
    assert quiet_until(NIGHT, at("2026-01-02 20:59")) is None
    assert utc(quiet_until(NIGHT, at("2026-07-01 23:00"))) == "07-02 06:00", "summer"
    lunch = Quiet(time(12), time(13, 30), VIENNA)
    assert utc(quiet_until(lunch, at("2026-01-02 12:00"))) == "01-02 12:30"
    assert quiet_until(lunch, at("2026-01-02 13:30")) is None


def test_quiet_hours_know_the_nights_on_which_the_clocks_change() -> None:
    short = Quiet(
        time(22), time(2, 30), VIENNA
    )  # 02:30 does not exist on 29 March, and comes twice on 25 October
    assert utc(quiet_until(short, at("2026-03-28 23:00"))) == "03-29 01:30"
    assert utc(quiet_until(short, at("2026-10-24 23:00"))) == "10-25 01:30"


@given(
    st.integers(0, 4_000_000_000_000),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kolkata"]),
)
def test_whatever_the_hours_the_end_is_later_and_within_a_day_and_a_change_of_clocks(
    now, start, end, zone
) -> None:
    quiet = Quiet(
        start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0), ZoneInfo(zone)
    )
    until = quiet_until(quiet, now)
    assert until is None or now < until <= now + DAY_MS + 3 * 3_600_000
