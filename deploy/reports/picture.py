"""The picture of a report in the terminal: bars, flows, a grid of shades and shares over time, as lines of text."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil
from textwrap import wrap
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from deploy.reports.figures import figure, per_cent, title
from deploy.reports.report import Drawing

Row = dict[str, Any]

FULL: Final = "█"
EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
SHADES: Final = " ░▒▓█"
#: Fills of a stacked bar, most frequent series first; the series after the last share its fill.
FILLS: Final = "█▓▒░#=+-·"
NAMELESS: Final = "(none)"  #: an empty name
LABEL: Final = 44  #: characters of a label at most
NARROWEST: Final = 10  #: characters of a bar at least
SERIES: Final = len(FILLS)
PICTURED: Final = 60  #: bars, or lines of a grid, of one picture


def picture(drawing: Drawing, rows: Sequence[Row], width: int) -> list[str]:
    """Lines of at most `width` characters, unless that is less than labels and the narrowest bar need."""
    if drawing.kind == "heat":
        return _parted(drawing, rows, width, _heat)
    if drawing.kind == "stack":
        return _parted(drawing, rows, width, _stack)
    return _parted(drawing, rows, width, _bars)


def label_of(drawing: Drawing, row: Row) -> str:
    """What names a row in a picture: its label columns, joined. A bar leaves empty ones at the end out."""
    joint = " → " if drawing.kind == "flow" else " · "
    names = [str(figure(name, row[name])) for name in drawing.label]
    while drawing.kind == "bars" and names and not names[-1]:
        names.pop()
    said = joint.join(name or NAMELESS for name in names) or NAMELESS
    return f"{row[drawing.layer]} · {said}" if drawing.layer else said


def parted(drawing: Drawing, rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each picture under its heading, which is empty if all its names are."""
    for names, part in groupby(rows, key=lambda row: tuple(row[name] for name in drawing.parts)):
        named = zip(drawing.parts, names, strict=True)
        several = any(names) or any(any(row[name] for name in drawing.parts) for row in rows)
        yield (
            ", ".join(f"{name}: {value or NAMELESS}" for name, value in named) if several else "",
            list(part),
        )


def _parted(drawing: Drawing, rows: Sequence[Row], width: int, draw: Any) -> list[str]:
    lines: list[str] = []
    for heading, part in parted(drawing, rows):
        lines += ["", heading] if lines and heading else [heading] if heading else []
        if len(part) > 1 and not any(row[drawing.value] for row in part):
            lines.append(f"0 in each of {len(part):,} rows")
        else:
            lines += draw(drawing, part, width)
    return lines


def _bars(drawing: Drawing, rows: Sequence[Row], width: int) -> Iterator[str]:
    rest, rows = len(rows) - PICTURED, rows[:PICTURED]
    most = max((_size(row, drawing) for row in rows), default=0.0)
    labels = [label_of(drawing, row) for row in rows]
    figures = [_beside(drawing, row) for row in rows]
    taken = max(map(len, figures), default=0) + 3
    room = min(max(map(cell_len, labels), default=0), LABEL, max(width - taken - NARROWEST, NARROWEST))
    longest = max(width - room - taken, NARROWEST)
    for label, row, beside in zip(labels, rows, figures, strict=True):
        bar = _bar(_size(row, drawing) / most * longest if most else 0.0)
        yield f"{_fitted(label, room)}  {bar} {beside}".rstrip()
    if rest > 0:
        yield f"and {rest:,} more"


def _heat(drawing: Drawing, rows: Sequence[Row], width: int) -> Iterator[str]:
    down, across = drawing.label
    columns = list(dict.fromkeys(row[across] for row in rows))
    columns = sorted(columns) if {row[down] for row in rows} & {*columns} else columns
    cells = {(row[down], row[across]): row for row in rows}
    most = max((_size(row, drawing) for row in rows), default=0.0)
    names = [str(figure(across, name)) or NAMELESS for name in columns]
    lines = {name: str(figure(down, name)) or NAMELESS for name in dict.fromkeys(row[down] for row in rows)}
    room = min(max(map(cell_len, lines.values()), default=0), LABEL)
    texts = {key: _cell(drawing, row, most) for key, row in cells.items()}
    least = max(map(cell_len, texts.values()), default=0)
    if room + len(columns) * (least + 1) > width:  # the shades alone: the table below has the figures
        texts = {key: text[:2] for key, text in texts.items()}
        least = 2
    wide = max(least, min((width - room) // max(len(columns), 1) - 1, max(map(cell_len, names), default=0)))
    yield " " * room + "".join(" " + set_cell_size(name, wide) for name in names)
    for key, label in lines.items():
        found = (texts.get((key, name), "") for name in columns)
        yield (_fitted(label, room) + "".join(" " + set_cell_size(text, wide) for text in found)).rstrip()


def _cell(drawing: Drawing, row: Row, most: float) -> str:
    steps = len(SHADES) - 1
    shade = SHADES[min(ceil(_size(row, drawing) / most * steps), steps)] if most else SHADES[0]
    text = per_cent(row[drawing.share]) if drawing.share else str(figure(drawing.value, row[drawing.value]))
    return f"{shade}{shade} {text}"


def _stack(drawing: Drawing, rows: Sequence[Row], width: int) -> Iterator[str]:
    at, series = drawing.label
    totals: dict[str, float] = {}
    for row in rows:
        totals[str(row[series])] = totals.get(str(row[series]), 0.0) + _size(row, drawing)
    order = sorted(totals, key=lambda name: (-totals[name], name))
    fill = {name: FILLS[min(number, SERIES - 1)] for number, name in enumerate(order)}
    legend = "  ".join(f"{fill[name]} {name or NAMELESS}" for name in order)
    yield from wrap(legend, width, break_on_hyphens=False)
    labels = list(dict.fromkeys(row[at] for row in rows))
    rest, labels = len(labels) - PICTURED, labels[-PICTURED:]
    if rest > 0:
        yield f"the last {PICTURED} of {rest + PICTURED:,}:"
    room = max((cell_len(str(figure(at, label))) for label in labels), default=0)
    longest = max(width - room - 14, NARROWEST)
    sums = {label: sum(_size(row, drawing) for row in rows if row[at] == label) for label in labels}
    most = max(sums.values(), default=0.0)
    for label in labels:
        sizes = {str(row[series]): _size(row, drawing) for row in rows if row[at] == label}
        bar = "".join(
            fill[name] * round(sizes[name] / most * longest) for name in order if most and name in sizes
        )
        yield f"{_fitted(str(figure(at, label)), room)}  {bar} {figure(drawing.value, sums[label])}"


def _beside(drawing: Drawing, row: Row) -> str:
    text = str(figure(drawing.value, row[drawing.value]))
    return f"{text} · {share_of(drawing, row)}" if drawing.share else text


def share_of(drawing: Drawing, row: Row) -> str:
    """The share beside a bar. A rate says which one it is: it is no share of what the bar is long by."""
    assert drawing.share
    shown = per_cent(row[drawing.share])
    return (
        f"{title(drawing.share)} {shown}" if drawing.share.endswith(("_rate", "converted_share")) else shown
    )


def _size(row: Row, drawing: Drawing) -> float:
    """The length of a bar: what is negative or no number has none."""
    value = row[drawing.value]
    return max(float(value), 0.0) if value is not None and value == value else 0.0


def _bar(length: float) -> str:
    eighths = round(length * 8)
    return FULL * (eighths // 8) + EIGHTHS[eighths % 8]


def _fitted(text: str, room: int) -> str:
    clean = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
    return set_cell_size(clean if cell_len(clean) <= room else set_cell_size(clean, room - 1) + "…", room)
