"""The picture of a journey: touchpoints in lanes of channels, as a table that the chart is drawn from. Pure.

Time is not to scale unless the viewer asks: people do much in minutes and nothing for days. Touchpoints stand side by
side; a pause of more than half an hour leaves a gap, after which the next one says when it was.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sinks.page.panels import Chart, Column, Panel

PAUSE_MS: Final = 30 * 60 * 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TIMELINE: Final = Panel(
    "timeline",
    "Timeline",
    "The newest touchpoints of 60 days, by channel. Shape: component; filled: the customer acted, hollow: we did.",
    "",
    (
        Column("at", "when", "time"),
        Column("channel", "channel"),
        Column("type", "what"),
        Column("component", "component"),
        Column("direction", "direction"),
        Column("moment", "moment", empty=""),
        Column("friction", "friction", "decimal"),
        Column("issue_id", "issue", "code", empty=""),
        Column("place", "", hidden=True),
        Column("start", "", hidden=True),
    ),
    (),
    chart=Chart("timeline", {"at": "at", "channel": "channel", "type": "type"}, 400),
    empty="No touchpoint in the last 60 days.",
)


def timeline(touches: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of TIMELINE, oldest first, each with its place from left to right."""
    return list(_placed(touches))


def _placed(touches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    place, before = -1, None
    for touch in touches:
        start = before is None or touch["at"] > before + PAUSE_MS
        place += 2 if start and before is not None else 1
        before = touch["at"]
        yield {
            **touch, "at": _EPOCH + timedelta(milliseconds=touch["at"]), "place": place,
            "start": "yes" if start else "no",
        }  # fmt: skip
