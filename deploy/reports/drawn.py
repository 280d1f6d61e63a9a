"""The picture of a report as SVG: bars, a Sankey diagram, a grid of shades, bars of shares."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, Final

from deploy.reports.figures import figure, per_cent
from deploy.reports.picture import NAMELESS, PICTURED, label_of, parted, share_of
from deploy.reports.report import Drawing
from deploy.reports.sankey import sankey
from deploy.reports.svg import COLOURS, WIDTH, box, image, short, text

Row = dict[str, Any]

ROW: Final = 26  #: height of a bar with its gap
LABEL: Final = 300  #: width of the labels


def drawn(drawing: Drawing, rows: Sequence[Row]) -> str:
    """One figure, or one for each value of `drawing.parts`, under its heading."""
    draw: Callable[[Drawing, list[Row]], str] = {
        "bars": _bars, "flow": sankey, "heat": _heat, "stack": _stack,
    }[drawing.kind]  # fmt: skip
    figures = []
    for heading, part in parted(drawing, rows):
        above = f"<h2>{escape(heading)}</h2>" if heading else ""
        figures.append(f"{above}<figure>{draw(drawing, part)}</figure>{_left_out(drawing, part)}")
    return "\n".join(figures)


def _left_out(drawing: Drawing, rows: Sequence[Row]) -> str:
    """What a picture does not show: bars after the first ones, and of shares over time all but the last."""
    lines = len(rows) if drawing.kind == "bars" else len({row[drawing.label[0]] for row in rows})
    if drawing.kind == "flow" or lines <= PICTURED:
        return ""
    return f'<p class="soft">the {"last" if drawing.kind == "stack" else "first"} {PICTURED} of {lines:,}</p>'


def size(drawing: Drawing, row: Row) -> float:
    """The length of a row's bar: what is negative or no number has none."""
    value = row[drawing.value]
    return max(float(value), 0.0) if value is not None and value == value else 0.0


def _bars(drawing: Drawing, rows: list[Row]) -> str:
    shown = rows[:PICTURED]
    most = max(size(drawing, row) for row in shown) or 1.0
    parts = []
    for number, row in enumerate(shown):
        y, label = number * ROW, label_of(drawing, row)
        beside = str(figure(drawing.value, row[drawing.value]))
        if drawing.share:
            beside += f" · {share_of(drawing, row)}"
        wide = size(drawing, row) / most * (WIDTH - LABEL - 150)
        parts += [
            text(LABEL - 10, y + 18, short(label), "end"),
            box(LABEL, y + 3, max(wide, 1.0), ROW - 6, 0, f"{label}: {beside}"),
            text(LABEL + wide + 8, y + 18, beside, kind="soft"),
        ]
    return image(len(shown) * ROW + 4, parts, f"bars of {drawing.value}")


def _heat(drawing: Drawing, rows: list[Row]) -> str:
    down, across = drawing.label
    columns = list(dict.fromkeys(row[across] for row in rows))
    lines = list(dict.fromkeys(row[down] for row in rows))[:PICTURED]
    columns = sorted(columns) if {*lines} & {*columns} else columns
    most = max(size(drawing, row) for row in rows) or 1.0
    wide = (WIDTH - LABEL / 1.5) / max(len(columns), 1)
    left = LABEL / 1.5
    parts = [
        text(
            left + (n + 0.5) * wide,
            16,
            short(str(figure(across, name)) or NAMELESS, int(wide / 7)),
            "middle",
            "soft",
        )
        for n, name in enumerate(columns)
    ]
    parts += [
        text(left - 10, n * ROW + 42, short(str(figure(down, name)) or NAMELESS, 26), "end")
        for n, name in enumerate(lines)
    ]
    for row in rows:
        if row[down] not in lines:
            continue
        x, y = left + columns.index(row[across]) * wide, lines.index(row[down]) * ROW + 24
        shown = (
            per_cent(row[drawing.share]) if drawing.share else str(figure(drawing.value, row[drawing.value]))
        )
        tip = f"{label_of(drawing, row)}: {shown}"
        parts += [
            box(x + 1, y + 1, wide - 2, ROW - 2, 0, tip, 0.06 + 0.5 * size(drawing, row) / most),
            text(x + wide / 2, y + 18, short(shown, max(int(wide / 7), 2)), "middle"),
        ]
    return image(len(lines) * ROW + 28, parts, f"grid of {drawing.value} by {down} and {across}")


def _stack(drawing: Drawing, rows: list[Row]) -> str:
    at, series = drawing.label
    totals: dict[str, float] = {}
    for row in rows:
        totals[str(row[series])] = totals.get(str(row[series]), 0.0) + size(drawing, row)
    order = sorted(totals, key=lambda name: (-totals[name], name))
    colour = {name: min(number, COLOURS - 1) for number, name in enumerate(order)}
    labels = list(dict.fromkeys(row[at] for row in rows))[-PICTURED:]
    sums = {label: sum(size(drawing, row) for row in rows if row[at] == label) for label in labels}
    most = max(sums.values()) or 1.0
    parts, x = [], 0.0
    for name in order[:COLOURS]:
        parts += [box(x, 4, 12, 12, colour[name], name), text(x + 17, 15, short(name or NAMELESS, 16))]
        x += 30 + 7.5 * min(len(name or NAMELESS), 16)
    for number, label in enumerate(labels):
        y, x = 28 + number * ROW, 170.0
        parts.append(text(160, y + 18, str(figure(at, label)), "end"))
        for name in order:
            for row in (row for row in rows if row[at] == label and str(row[series]) == name):
                wide = size(drawing, row) / most * (WIDTH - 270)
                parts.append(
                    box(
                        x,
                        y + 3,
                        wide,
                        ROW - 6,
                        colour[name],
                        f"{label_of(drawing, row)}: {figure(drawing.value, row[drawing.value])}",
                    )
                )
                x += wide
        parts.append(text(x + 8, y + 18, str(figure(drawing.value, sums[label])), kind="soft"))
    return image(len(labels) * ROW + 32, parts, f"{drawing.value} by {at} and {series}")
