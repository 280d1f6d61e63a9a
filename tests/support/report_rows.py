"""Rows of reports of every kind, with names that do harm where they are not escaped."""

from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.reports.report import Drawing

BARS = Drawing("bars", ("name",), "value", share="value_share")
FLOW = Drawing("flow", ("from_type", "to_type"), "reached", layer="depth")
HEAT = Drawing("heat", ("step", "channel"), "friction")
STACK = Drawing("stack", ("period_start", "channel"), "touchpoints")
PARTED = Drawing("bars", ("step", "type"), "reached", parts=("segment",))

#: Markup, quotes and what ends a style or a title.
EVIL = "<script>alert(1)</script>\"'&</title></style>"


def at(seconds: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def rows(*names: str, values: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in values]


ROWS: dict[Drawing, list[dict[str, Any]]] = {
    BARS: rows("name", "value", "value_share", values=[(EVIL, 30, 0.75), ("b" * 90, 10, 0.25)]),
    FLOW: rows(
        "depth", "from_type", "to_type", "reached",
        values=[(0, "home", EVIL, 30), (0, "home", "(end)", 10), (1, EVIL, "cart", 20), (1, EVIL, "(end)", 10)],
    ),
    HEAT: rows("step", "channel", "friction", values=[("a", "web", 10), ("a", "app", 5), ("b", "web", 2)]),
    STACK: rows(
        "period_start", "channel", "touchpoints",
        values=[(at(0), "web", 30), (at(0), "app", 10), (at(86_400), "web", 4)],
    ),
    PARTED: rows(
        "segment", "step", "type", "reached",
        values=[("web", 1, "a", 10), ("web", 2, "b", 5), ("", 1, "a", 4), ("", 2, "b", 1)],
    ),
}  # fmt: skip
