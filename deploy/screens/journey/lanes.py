"""The journey as a picture: channels as rows, time from left to right, one sign a touchpoint. Pure.

Time is not to scale: people do much in minutes and nothing for days. Touchpoints with pauses of at most half an
hour make a block, which says on what day and in which hour (UTC) it began; the newest stands at the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from rich.text import Text

from deploy.screens.journey.facts import Touch
from schemas.catalogue import Catalogue
from schemas.words import clock, day

PAUSE_MS: Final = 30 * 60 * 1000
#: A run of more equal signs than this becomes one sign and a number.
REPEATED: Final = 3
_STYLES: Final = {
    "marketing": "magenta", "sales": "yellow", "commerce": "cyan", "service": "blue", "other": "white",
}  # fmt: skip
_BARS: Final = (0.5, 1.0, 2.0, 3.0)  #: friction weights up to which each height stands


class Signs(NamedTuple):
    """The characters that a picture uses."""

    inbound: dict[str, str]  #: component → the customer acted
    outbound: dict[str, str]  #: component → we did, or it happened
    ouch: str
    order: str
    bars: str
    gap: str
    rule: str
    more: str
    by_us: str


UNICODE: Final = Signs(
    {"marketing": "◆", "sales": "▲", "commerce": "●", "service": "■", "other": "▪"},
    {"marketing": "◇", "sales": "△", "commerce": "○", "service": "□", "other": "▫"},
    "✖", "★", "▂▃▅▆█", "┊", "│", "«", "hollow: by us",
)  # fmt: skip
ASCII: Final = Signs(
    {"marketing": "M", "sales": "L", "commerce": "C", "service": "S", "other": "O"},
    {"marketing": "m", "sales": "l", "commerce": "c", "service": "s", "other": "o"},
    "X", "*", "12345", ":", "|", "<", "small: by us",
)  # fmt: skip


@dataclass
class Cell:
    """Consecutive touchpoints with one sign on one channel."""

    channel: str
    sign: str
    style: str
    friction: float
    count: int = 1

    def text(self) -> str:
        """The sign, repeated or counted."""
        return self.sign * self.count if self.count <= REPEATED else f"{self.sign}{self.count}"


@dataclass
class Block:
    """Touchpoints without a pause of more than half an hour between them."""

    started_at: int
    last_at: int
    cells: list[Cell] = field(default_factory=list)

    def width(self) -> int:
        """Columns of its signs."""
        return sum(len(cell.text()) for cell in self.cells)


def picture(touches: Sequence[Touch], catalogue: Catalogue, width: int, signs: Signs = UNICODE) -> list[Text]:
    """Lines of at most `width` columns; none without touchpoints."""
    blocks = _blocks(touches, catalogue, signs)
    if not blocks:
        return []
    label = max([len("friction"), *(len(cell.channel) for block in blocks for cell in block.cells)]) + 1
    columns, left_out = _fitting(blocks, width - label - 1)
    shown = [block for block, _ in columns]
    lines = [_dates(columns, label, signs, left_out=left_out), _hours(columns, label, signs)]
    lines += [_lane(channel, columns, label, signs) for channel in _channels(shown, catalogue)]
    if any(cell.friction for block in shown for cell in block.cells):
        lines.append(_friction(columns, label, signs))
    return [*lines, *_legend(shown, width, signs)]


def _blocks(touches: Sequence[Touch], catalogue: Catalogue, signs: Signs) -> list[Block]:
    blocks: list[Block] = []
    for touch in touches:
        if not blocks or touch.at > blocks[-1].last_at + PAUSE_MS:
            blocks.append(Block(touch.at, touch.at))
        block = blocks[-1]
        block.last_at = touch.at
        cell = _cell(touch, catalogue, signs)
        last = block.cells[-1] if block.cells else None
        if last and (last.channel, last.sign, last.friction) == (cell.channel, cell.sign, cell.friction):
            last.count += 1
        else:
            block.cells.append(cell)
    return blocks


def _cell(touch: Touch, catalogue: Catalogue, signs: Signs) -> Cell:
    kind = catalogue.type(touch.type)
    if kind.moment == "ouch":
        return Cell(touch.channel, signs.ouch, "bold red", kind.friction)
    if kind.effect == "order_placed" or kind.moment == "wow":
        return Cell(touch.channel, signs.order, "bold green", kind.friction)
    by = signs.inbound if kind.direction == "inbound" else signs.outbound
    style = "red" if kind.friction else _STYLES[kind.component]
    return Cell(touch.channel, by[kind.component], style, kind.friction)


def _fitting(blocks: Sequence[Block], room: int) -> tuple[list[tuple[Block, int]], bool]:
    """The newest blocks that fit, each with its width, and whether anything older is left out.

    Beside its width every block takes a column that parts it from the one before. The first block of a day, and
    the first of all, has room for the date.
    """
    while blocks[-1].width() >= room and len(blocks[-1].cells) > 1:
        del blocks[-1].cells[0]
    best: list[tuple[Block, int]] = []
    for count in range(1, len(blocks) + 1):
        shown = blocks[-count:]
        dates = ["", *(day(block.started_at) for block in shown)]
        columns = [
            (block, max(block.width(), len(_hour(block)), len(date) if date != before else 0))
            for block, before, date in zip(shown, dates, dates[1:], strict=False)
        ]
        if best and sum(width + 1 for _, width in columns) > room:
            return best, True
        best = columns
    return best, False


def _hour(block: Block) -> str:
    return clock(block.started_at)[:2] + "h"


def _channels(blocks: Sequence[Block], catalogue: Catalogue) -> list[str]:
    """In order of appearance; channels with a person at our end below digital ones."""
    found = dict.fromkeys(cell.channel for block in blocks for cell in block.cells)
    return sorted(found, key=catalogue.human)


def _line(label: str, width: int, signs: Signs, style: str = "") -> Text:
    line = Text(no_wrap=True, overflow="crop")
    return line.append(label.ljust(width), style=style).append(signs.rule, style="dim")


def _dates(columns: Sequence[tuple[Block, int]], label: int, signs: Signs, *, left_out: bool) -> Text:
    line, before = _line("", label, signs), ""
    for number, (block, width) in enumerate(columns):
        date = day(block.started_at)
        line.append(signs.more if left_out and not number else " ")
        line.append((date if date != before else "").ljust(width), style="dim")
        before = date
    return line


def _hours(columns: Sequence[tuple[Block, int]], label: int, signs: Signs) -> Text:
    line = _line("", label, signs)
    for block, width in columns:
        line.append(" " + _hour(block).ljust(width), style="dim")
    return line


def _lane(channel: str, columns: Sequence[tuple[Block, int]], label: int, signs: Signs) -> Text:
    line = _line(channel, label, signs)
    for number, (block, width) in enumerate(columns):
        line.append(signs.gap if number else " ", style="dim")
        for cell in block.cells:
            text = cell.text()
            line.append(text if cell.channel == channel else " " * len(text), style=cell.style)
        line.append(" " * (width - block.width()))
    return line


def _friction(columns: Sequence[tuple[Block, int]], label: int, signs: Signs) -> Text:
    line = _line("friction", label, signs, "red")
    for number, (block, width) in enumerate(columns):
        line.append(signs.gap if number else " ", style="dim")
        for cell in block.cells:
            bar = signs.bars[sum(cell.friction > weight for weight in _BARS)] if cell.friction else " "
            room = len(cell.text())
            line.append((bar * min(cell.count, room)).ljust(room), style="red")
        line.append(" " * (width - block.width()))
    return line


def _legend(blocks: Sequence[Block], width: int, signs: Signs) -> list[Text]:
    """The meaning of each sign that the picture uses, in as many lines as needed."""
    seen = {cell.sign for block in blocks for cell in block.cells}
    parts = []
    for component, sign in signs.inbound.items():
        both = [mark for mark in (sign, signs.outbound[component]) if mark in seen]
        if both:
            parts.append((f"{''.join(both)} {component}", _STYLES[component]))
    if seen & set(signs.outbound.values()):
        parts.append((signs.by_us, "dim"))
    if signs.order in seen:
        parts.append((f"{signs.order} order or wow", "bold green"))
    if signs.ouch in seen:
        parts.append((f"{signs.ouch} ouch", "bold red"))
    if any(cell.count > REPEATED for block in blocks for cell in block.cells):
        parts.append((f"{signs.inbound['commerce']}9 nine in a row", "dim"))
    lines = [Text()]
    for text, style in parts:
        if len(lines[-1].plain) + len(text) + 2 > width:
            lines.append(Text())
        lines[-1].append(text, style=style).append("  ")
    return lines
