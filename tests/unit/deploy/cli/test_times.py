"""Points in time as a person writes them: whatever is typed is a time that a touchpoint can have, or a sentence."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deploy.cli.times import moment
from schemas.errors import SettingsError
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS

NOW = 1_800_000_000.0


def test_a_time_is_iso_or_how_long_ago() -> None:
    assert moment("2h", "--since", NOW) == (1_800_000_000 - 7_200) * 1000
    assert moment("1970-01-02", "--since", NOW) == 86_400_000
    assert moment("1970-01-02T00:00:00+01:00", "--since", NOW) == 82_800_000


@given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,400}[smhd]", fullmatch=True), st.dates().map(str)))
@example("99999999999d")
@example("9" * 400 + "d")
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31")
def test_no_text_gives_a_time_that_the_server_cannot_read(text: str) -> None:
    try:
        at = moment(text, "--since", NOW)
    except SettingsError:
        return  # one sentence
    assert EARLIEST_MS <= at <= LATEST_MS


@pytest.mark.parametrize("text", ["99999999999d", "0001-01-01", "9999-12-31"])
def test_a_time_that_no_touchpoint_can_have_is_refused_with_the_years_that_can_be(text: str) -> None:
    with pytest.raises(
        SettingsError, match=f"--since is '{text}': write a time between the years 1900 and 2262"
    ):
        moment(text, "--since", NOW)
