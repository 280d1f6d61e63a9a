"""The few shapes that pictures consist of, as SVG text. What comes from data is escaped here."""

from collections.abc import Sequence
from html import escape
from typing import Final

WIDTH: Final = 960
COLOURS: Final = 8  #: --s0 to --s7 of the page's style


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """A line of text with its baseline at y."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, colour: int, tip: str, opacity: float = 1.0) -> str:
    """A rectangle that says `tip` under the pointer."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.0):.1f}" height="{height:.1f}" rx="2"'
        f' fill="var(--s{colour % COLOURS})" fill-opacity="{opacity:.2f}"><title>{escape(tip)}</title></rect>'
    )


def band(left: tuple[float, float], right: tuple[float, float], height: float, colour: int, tip: str) -> str:
    """A curved band of one height from a point to a point on its right."""
    (x0, y0), (x1, y1) = left, right
    middle = (x0 + x1) / 2
    return (
        f'<path d="M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}" fill="none"'
        f' stroke="var(--s{colour % COLOURS})" stroke-opacity="0.35" stroke-width="{max(height, 0.6):.1f}">'
        f"<title>{escape(tip)}</title></path>"
    )


def image(height: float, parts: Sequence[str], says: str) -> str:
    """An image of these parts with a name for screen readers."""
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(says)}">{"".join(parts)}</svg>'


def short(words: str, most: int = 40) -> str:
    """Words of at most so many characters."""
    return words if len(words) <= most else words[: most - 1] + "…"
