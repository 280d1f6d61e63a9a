"""Sliding windows of whole UTC days: one entry for each day with a touchpoint."""

from typing import Any, Final

from schemas import records
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool

DAY: Final = 86_400_000


class Effort:
    """Points of effort by day, in thousandths: integers, so that the sum does not depend on their order.

    The window is the UTC day of the newest touchpoint and the days before it.
    """

    __slots__ = ("_days", "_half", "_window")

    def __init__(self, rules: JourneyRules) -> None:
        self._window = rules.effort_days
        self._half = rules.effort_half_points
        self._days: dict[int, int] = {}

    def add(self, points: int, at: int) -> None:
        """Add points (thousandths) at an event time (UTC ms)."""
        day = at // DAY
        days = self._days
        if day in days:
            days[day] += points
        else:
            days[day] = points
            _drop_until(days, day - self._window)

    def value(self, as_of: int, ces: tuple[int, str, float] | None) -> tuple[float, bool]:
        """Effort (0-100, 2 digits), and whether a CES answer gave it: CES 7 (very easy) is 0, CES 1 is 100."""
        oldest = as_of // DAY - self._window
        if ces is not None and ces[0] // DAY > oldest:
            return round(max(0.0, min(100.0, (7 - ces[2]) * 100 / 6)), 2) + 0.0, True  # no negative zero
        points = sum(amount for day, amount in self._days.items() if day > oldest)
        return round(100 * points / (points + self._half), 2), False

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {"effort": [{"day": day, "points": points} for day, points in self._days.items()]}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._days = {item["day"]: item["points"] for item in record["effort"]}

    def absorb(self, other: "Effort") -> None:
        """Add another identifier's points."""
        days = {day: self._days.get(day, 0) + other._days.get(day, 0) for day in self._days | other._days}
        self._days = dict(sorted(days.items()))
        _drop_until(self._days, max(self._days, default=0) - self._window)


#: (occurred_at, event, channel, type, campaign)
Touch = tuple[int, str, str, str, str | None]


class Marketing:
    """Marketing touches by day: their number, the first and the last."""

    __slots__ = ("_days", "_window")

    def __init__(self, rules: JourneyRules) -> None:
        self._window = rules.marketing_days
        self._days: dict[int, tuple[int, Touch, Touch]] = {}

    def add(self, touch: Touch) -> None:
        """Count a touch, which is no earlier than the last."""
        day = touch[0] // DAY
        known = self._days.get(day)
        if known is not None:
            self._days[day] = known[0] + 1, known[1], touch
        else:
            self._days[day] = 1, touch, touch
            _drop_until(self._days, day - self._window)

    def within(self, as_of: int) -> tuple[int, records.MarketingTouch | None, records.MarketingTouch | None]:
        """The number of touches in the window that ends with `as_of` (UTC ms), the first and the last of them."""
        oldest = as_of // DAY - self._window
        found = [entry for day, entry in self._days.items() if day > oldest]
        if not found:
            return 0, None, None
        return sum(entry[0] for entry in found), _record(found[0][1]), _record(found[-1][2])

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        days = [
            {"day": day, "touches": touches, "first": _dump(first), "last": _dump(last)}
            for day, (touches, first, last) in self._days.items()
        ]
        return {"marketing": days}

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._days = {
            item["day"]: (item["touches"], _load(item["first"]), _load(item["last"]))
            for item in record["marketing"]
        }

    def absorb(self, other: "Marketing") -> None:
        """Add another identifier's touches."""
        for day, (touches, first, last) in other._days.items():
            mine = self._days.get(day)
            if mine is None:
                self._days[day] = touches, first, last
            else:
                self._days[day] = mine[0] + touches, _earlier(mine[1], first), _later(mine[2], last)
        self._days = dict(sorted(self._days.items()))
        _drop_until(self._days, max(self._days, default=0) - self._window)


def _drop_until(days: dict[int, Any], until: int) -> None:
    """Remove the days up to and including `until` from `days`."""
    for day in [day for day in days if day <= until]:
        del days[day]


def _earlier(one: Touch, other: Touch) -> Touch:
    return one if one[:2] <= other[:2] else other


def _later(one: Touch, other: Touch) -> Touch:
    return one if one[:2] >= other[:2] else other


def _record(touch: Touch) -> records.MarketingTouch:
    return {"occurred_at": touch[0], "channel": touch[2], "type": touch[3], "campaign": touch[4]}


def _dump(touch: Touch) -> dict[str, Any]:
    return dict(zip(("at", "event_id", "channel", "type", "campaign"), touch, strict=True))


def _load(record: dict[str, Any]) -> Touch:
    return record["at"], record["event_id"], record["channel"], record["type"], record["campaign"]
