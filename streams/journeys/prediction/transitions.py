"""A first-order Markov model of a customer's next inbound touchpoint, given stage and type of the last touchpoint.

The destination of a transition is an *inbound* touchpoint: the company knows its own outbound and internal ones.
Touchpoints of every direction are origins. Each counts once, at the customer's next inbound touchpoint.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from streams.journeys.prediction.forward_decay import weight

#: (stage, type) of a touchpoint; the type is "" when the catalogue does not name it, which bounds the model.
Origin: TypeAlias = tuple[str, str]
Row: TypeAlias = dict[str, float]

#: Hierarchical back-off: the number of observations that a wider row is worth in a narrower one (additive smoothing).
BACK_OFF: Final = 5.0
#: Cells that a model keeps; `prune` removes the lightest. The built-in catalogue's types give a few thousand.
MAX_CELLS: Final = 20_000


class Transitions:
    """Decayed counts of origin → type of the next inbound touchpoint. Order and grouping of `add` change nothing."""

    __slots__ = ("_all", "_by_origin", "_by_type", "_half_life", "newest")

    def __init__(self, half_life: int) -> None:
        """`half_life` in milliseconds of event time."""
        self._half_life = half_life
        self._by_origin: dict[Origin, Row] = {}
        self._by_type: dict[str, Row] = {}
        self._all: Row = {}
        self.newest = 0  #: event time, UTC ms, of the newest touchpoint that was added

    def add(self, origin: Origin, following: str, at: int) -> None:
        """Count a transition from `origin` to an inbound touchpoint of type `following` at an event time (UTC ms)."""
        self.newest = max(self.newest, at)
        self._add(origin, following, weight(at, self._half_life))

    def distribution(self, origin: Origin) -> Row:
        """The probability of each type of the next inbound touchpoint, given that there is one; they sum to 1.

        The row of (stage, type) backs off to the row of the type, and that to the row of all. Empty before the first
        observation.
        """
        base = _shares(self._all)
        now = weight(self.newest, self._half_life)
        for row in (self._by_type.get(origin[1]), self._by_origin.get(origin)):
            if row is not None:
                base = _smoothed(row, base, now)
        return base

    def absorb(self, other: "Transitions") -> None:
        """Add the counts of another model, for example another partition's."""
        self.newest = max(self.newest, other.newest)
        for origin, row in other._by_origin.items():
            for following, amount in row.items():
                self._add(origin, following, amount)

    def prune(self) -> None:
        """Remove the lightest cells if there are more than MAX_CELLS."""
        cells = self._cells()
        if len(cells) > MAX_CELLS:
            cells.sort(key=lambda cell: (-cell[2], cell[0], cell[1]))
            self._by_origin, self._by_type, self._all = {}, {}, {}
            for cell in cells[: MAX_CELLS * 9 // 10]:
                self._add(*cell)

    def dump(self, number: Callable[[str], int]) -> list[dict[str, Any]]:
        """As PredictionModel.avsc holds it: counts as of `newest`; `number` numbers names."""
        now = weight(self.newest, self._half_life)
        return [
            {
                "stage": number(stage),
                "type": number(name),
                "next": [{"type": number(item), "count": amount / now} for item, amount in row.items()],
            }
            for (stage, name), row in self._by_origin.items()
        ]

    def load(self, newest: int, rows: list[dict[str, Any]], names: list[str]) -> None:
        """Back from `dump`, into an empty one; another half-life takes the counts as they stood."""
        self.newest = newest
        now = weight(newest, self._half_life)
        for row in rows:
            for item in row["next"]:
                origin = names[row["stage"]], names[row["type"]]
                self._add(origin, names[item["type"]], item["count"] * now)

    def _add(self, origin: Origin, following: str, amount: float) -> None:
        for row in (
            self._by_origin.setdefault(origin, {}),
            self._by_type.setdefault(origin[1], {}),
            self._all,
        ):
            row[following] = row.get(following, 0.0) + amount

    def _cells(self) -> list[tuple[Origin, str, float]]:
        return [
            (origin, following, amount)
            for origin, row in self._by_origin.items()
            for following, amount in row.items()
        ]


def _total(row: Row) -> float:
    """The sum from left to right, as the native core adds: from Python 3.12 on `sum` compensates rounding errors."""
    total = 0.0
    for amount in row.values():
        total += amount
    return total


def _shares(row: Row) -> Row:
    total = _total(row)
    return {name: amount / total for name, amount in row.items()} if total else {}


def _smoothed(row: Row, base: Row, now: float) -> Row:
    extra = BACK_OFF * now
    total = _total(row) + extra
    return {name: (row.get(name, 0.0) + extra * share) / total for name, share in base.items()}
