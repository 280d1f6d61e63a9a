"""The screen as it is read, without colour: golden files made by hand from `people.facts`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deploy.cli.journey import in_ascii
from deploy.screens.journey.document import document
from deploy.screens.journey.hints import hints
from deploy.screens.journey.lanes import ASCII, UNICODE, Signs
from deploy.screens.journey.screen import screen
from tests.support.built_in import CATALOGUE
from tests.support.journey_people import CALL, DAY, HOUR, MINUTE, NOW, known, state
from tests.support.touchpoints import START

GOLDEN = Path(__file__).parent / "golden"


def printed(width: int = 80, signs: Signs = UNICODE, now: int = NOW, **fields: Any) -> str:
    out = io.StringIO()
    found = known(now, **fields)
    Console(file=out, width=width, color_system=None).print(
        screen(found, hints(found), CATALOGUE, width, signs)
    )
    return "\n".join(line.rstrip() for line in out.getvalue().replace("\xa0", " ").splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 120])
def test_a_journey_reads_as_in_its_golden_file(width: int) -> None:
    text = printed(width)

    assert text == (GOLDEN / f"screen-{width}.txt").read_text()
    assert max(map(len, text.splitlines())) <= width


def test_a_terminal_without_unicode_gets_letters() -> None:
    text = in_ascii(printed(signs=ASCII))

    assert "?" not in text
    assert text == (GOLDEN / "screen-ascii.txt").read_text()


def test_somebody_whose_session_is_over_is_not_here_now() -> None:
    assert "here now on phone, for 12 min" in printed()
    assert "last seen 5 Jan 09:00 (31 min ago)" in printed(now=START + CALL + 31 * MINUTE)


def test_an_issue_beyond_its_deadline_is_overdue() -> None:
    assert "overdue" not in printed()
    assert "case-7 overdue, open 3 d 4 h" in printed(now=START + CALL + 3 * DAY + HOUR)


def test_somebody_without_a_past_has_a_short_screen() -> None:
    bare = state(
        friction=0.0, effort=0.0, ouch_moments=0, wow_moments=0, handoffs=0, sentiment=None, csat=None, consent={},
        preferred_channel="", channels={}, orders=0, revenue={}, session_last_at=None, stage="", last_channel="",
    )  # fmt: skip
    text = printed(state=bare, touches=(), issues=(), promises=(), signals=(), account=None)

    assert "issues   none open" in text
    assert "wrong    nothing noted" in text
    assert "consent  never asked" in text
    assert "│" not in text


def test_a_shared_device_says_so() -> None:
    assert "shared by several people since 1 Jan 00:00" in printed(shared_from=START)


def test_a_name_from_outside_is_never_markup() -> None:
    assert "email:[bold]x[/]" in printed(asked="email:[bold]x[/]")


def test_programs_get_the_same_as_json() -> None:
    found = known()
    read = json.loads(json.dumps(document(found, hints(found))))

    assert read["here_now"] is True
    assert read["went_wrong"][0]["type"] == "support_call"
    assert [issue["issue_id"] for issue in read["open_issues"]] == ["case-7"]
    assert read["last_24_hours"][0]["occurred_at"] == "2026-01-05T06:00:00.000Z"
    assert read["state"]["as_of"] == "2026-01-05T09:00:00.000Z"
    assert read["account"]["stages"] == {"intent": 1, "service": 1}
    assert read["wants"][0]["wish"] == "news about case-7"
