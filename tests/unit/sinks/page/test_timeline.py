"""The picture's places: side by side, with a gap after a pause."""

from sinks.page.timeline import PAUSE_MS, timeline


def places(*minutes: float) -> list[tuple[int, str]]:
    return [(row["place"], row["start"]) for row in timeline({"at": int(each * 60_000)} for each in minutes)]


def test_touchpoints_stand_side_by_side_and_a_pause_leaves_a_gap() -> None:
    assert places(0, 0, 29) == [(0, "yes"), (1, "no"), (2, "no")]
    assert places(0, PAUSE_MS / 60_000, PAUSE_MS / 60_000 * 2 + 1) == [(0, "yes"), (1, "no"), (3, "yes")]
    assert places() == []
