"""Block ends: which of an identifier's touchpoints are beyond the horizon, a function of these touchpoints alone."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from schemas.records import Touchpoint
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.values.stamps import Stamp

#: Touchpoints are summed up in blocks: one summary is written for so many, or for so much text.
BLOCK: Final = 128
BLOCK_TEXT: Final = 256 * 1024


def block_ends(
    places: Sequence[Stamp],
    rules: JourneyRules,
    text: Callable[[Stamp], int] = lambda _: 0,
    most_text: int = 0,
) -> list[int]:
    """Where the blocks end that are beyond the horizon.

    Beyond it are those that are neither among the newest of the identifier nor younger than its newest less the days;
    those beyond the most that are kept at all; and those beyond the most text that is kept (`text_of`), of which the
    newest is always kept. A block has 128 touchpoints or less, so many as reach 256 Ki characters of text, and less
    those of its last time that have not all room in it; only more of one time than a block holds are parted. Blocks
    only grow in number when touchpoints are added, and what is left is not beyond it.

    `text` gives the characters of a place; `most_text` is not below their sum.
    """
    spare = len(places) - rules.horizon_touchpoints
    if spare < BLOCK and most_text < BLOCK_TEXT:
        return []
    old = bisect_left(places, (places[-1][0] - rules.horizon_ms, ""))
    most = max(min(spare, old), len(places) - rules.horizon_most, 0)
    if most_text > rules.horizon_text:
        most = max(most, _beyond_text(places, rules.horizon_text, text))
    ends: list[int] = []
    start = 0
    while (end := _full(places, start, most, text, most_text)) is not None:
        time_begins = bisect_left(places, (places[end][0],))
        start = time_begins if start < time_begins < end else end
        ends.append(start)
    return ends


def text_of(touchpoint: Touchpoint) -> int:
    """The characters of what a touchpoint holds any number of: identifiers, attributes, experiments and consent."""
    count = sum(len(one["type"]) + len(one["value"]) for one in touchpoint["identifiers"])
    for texts in (touchpoint["attributes"], touchpoint["experiments"]):
        if texts:
            count += sum(map(len, texts)) + sum(map(len, texts.values()))
    return count + sum(map(len, touchpoint["consent"]))


def _beyond_text(places: Sequence[Stamp], most: int, text: Callable[[Stamp], int]) -> int:
    """The number of places before the newest that have so much text together."""
    kept = len(places) - 1
    left = most - text(places[kept])
    while kept and (left := left - text(places[kept - 1])) >= 0:
        kept -= 1
    return kept


def _full(
    places: Sequence[Stamp], start: int, most: int, text: Callable[[Stamp], int], most_text: int
) -> int | None:
    """Where a block ends that begins at an index; None if the places up to `most` do not fill it."""
    if most_text < BLOCK_TEXT:
        return start + BLOCK if start + BLOCK <= most else None
    filled = 0
    for end in range(start, min(start + BLOCK, most)):
        filled += text(places[end])
        if filled >= BLOCK_TEXT or end + 1 == start + BLOCK:
            return end + 1
    return None


def part_an_instant(places: Sequence[Stamp], ends: Iterable[int]) -> bool:
    """Whether the end of a block parts touchpoints of one time."""
    return any(places[end - 1][0] == places[end][0] for end in ends)
