"""The probability of an inbound service contact within 7 days, by the standing of the customer.

Every touchpoint is an observation: the standing in which it left the customer (stage, type, recent friction, open
issue), and whether a service contact followed within 7 days of event time. The outcome is known when the 7 days are
over, so observations stay pending by day until then. Counting them earlier would underestimate the risk: most young
observations have had no time for a contact.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from streams.journeys.prediction.forward_decay import weight

DAY_MS: Final = 86_400_000
HORIZON_MS: Final = 7 * DAY_MS
#: A day's observations are ripe when the newest is this many days later: the 7 days, and one for the day to end.
_RIPE_DAYS: Final = HORIZON_MS // DAY_MS + 1
#: Hierarchical back-off: the number of observations that a wider group is worth in a narrower one (additive smoothing).
#: It is high, because the touchpoints of one week share one outcome: a hundred of them are a handful of people.
BACK_OFF: Final = 100.0
#: Groups that a model keeps, pending ones included; `prune` removes the lightest.
MAX_CELLS: Final = 20_000


class Standing(NamedTuple):
    """The state of a customer after a touchpoint, as far as the risk depends on it."""

    stage: str
    type: str  #: "" when the catalogue does not name it
    friction: int  #: bucket, see RecentPath
    open_issue: bool


#: [observations, those with a contact within 7 days]
Counts = list[float]


class Risk:
    """Decayed counts of standing → outcome. Order and grouping of `observe` and `hit` change nothing."""

    __slots__ = ("_all", "_by_friction", "_by_type", "_half_life", "_pending", "_ripe", "newest")

    def __init__(self, half_life: int) -> None:
        """`half_life` in milliseconds of event time."""
        self._half_life = half_life
        self._pending: dict[
            int, dict[Standing, Counts]
        ] = {}  #: day → observations whose 7 days may not be over
        self._ripe: dict[Standing, Counts] = {}
        self._by_type: dict[tuple[str, int, bool], Counts] = {}  #: ripe counts of all stages
        self._by_friction: dict[tuple[int, bool], Counts] = {}  #: ripe counts of all stages and types
        self._all: Counts = [0.0, 0.0]
        self.newest = 0  #: event time, UTC ms, of the newest observation

    def observe(self, standing: Standing, at: int) -> None:
        """Count an observation: a touchpoint at an event time (UTC ms) left a customer in this standing."""
        if at > self.newest:
            self.newest = at
            self._ripen()
        self._add(at // DAY_MS, standing, 1.0, 0.0)

    def hit(self, standing: Standing, at: int) -> None:
        """Count a contact within 7 days of the observation at `at` (UTC ms). Call it once for an observation."""
        self._add(at // DAY_MS, standing, 0.0, 1.0)

    @property
    def base_rate(self) -> float | None:
        """The share of all ripe observations that were followed by a contact; None before there is one."""
        return self._all[1] / self._all[0] if self._all[0] > 0 else None

    def probability(self, standing: Standing) -> float | None:
        """The probability of an inbound service contact within 7 days; None before any observation is ripe.

        The share of the standing backs off to that of all stages, then to that of all types (friction and issue
        alone), then to the base rate.
        """
        share = self.base_rate
        if share is None:
            return None
        extra = BACK_OFF * weight(self.newest, self._half_life)
        for group in (
            self._by_friction.get(standing[2:]),
            self._by_type.get(standing[1:]),
            self._ripe.get(standing),
        ):
            if group is not None:
                share = (group[1] + extra * share) / (group[0] + extra)
        # a crash may lose an observation and not its hit, so the share may exceed 1
        return max(0.0, min(1.0, share))

    def absorb(self, other: "Risk") -> None:
        """Add the counts of another model, for example another partition's."""
        self.newest = max(self.newest, other.newest)
        self._ripen()
        for cell in other._cells():
            self._put(*cell)

    def prune(self) -> None:
        """Remove the lightest groups if there are more than MAX_CELLS."""
        total = len(self._ripe) + sum(map(len, self._pending.values()))
        if total <= MAX_CELLS:
            return
        cells = list(self._cells())
        now = weight(self.newest, self._half_life)
        cells.sort(key=lambda cell: (-cell[2] / (now if cell[0] is None else 1.0), cell[0] or 0, cell[1]))
        self._pending, self._ripe, self._by_type, self._by_friction, self._all = {}, {}, {}, {}, [0.0, 0.0]
        for cell in cells[: MAX_CELLS * 9 // 10]:
            self._put(*cell)

    def dump(self, number: Callable[[str], int]) -> list[dict[str, Any]]:
        """As PredictionModel.avsc holds it: ripe counts as of `newest`; `number` numbers names."""
        now = weight(self.newest, self._half_life)
        return [
            {
                "day": day,
                "stage": number(standing.stage),
                "type": number(standing.type),
                "friction": standing.friction,
                "open_issue": standing.open_issue,
                "observed": n / now if day is None else n,
                "hits": hits / now if day is None else hits,
            }
            for day, standing, n, hits in self._cells()
        ]

    def load(self, newest: int, cells: list[dict[str, Any]], names: list[str]) -> None:
        """Back from `dump`, into an empty one; another half-life takes the counts as they stood."""
        self.newest = newest
        now = weight(newest, self._half_life)
        for cell in cells:
            factor = now if cell["day"] is None else 1.0
            standing = Standing(
                names[cell["stage"]], names[cell["type"]], cell["friction"], cell["open_issue"]
            )
            self._put(cell["day"], standing, cell["observed"] * factor, cell["hits"] * factor)

    def _cells(self) -> Iterator[tuple[int | None, Standing, float, float]]:
        for standing, (n, hits) in self._ripe.items():
            yield None, standing, n, hits
        for day, standings in self._pending.items():
            for standing, (n, hits) in standings.items():
                yield day, standing, n, hits

    def _put(self, day: int | None, standing: Standing, observed: float, hits: float) -> None:
        if day is None:
            self._add_ripe(standing, observed, hits)
        else:
            self._add(day, standing, observed, hits)

    def _add(self, day: int, standing: Standing, observed: float, hits: float) -> None:
        if self._is_ripe(day):
            factor = weight(day * DAY_MS, self._half_life)
            self._add_ripe(standing, observed * factor, hits * factor)
        else:
            _add_to(self._pending.setdefault(day, {}), standing, observed, hits)

    def _add_ripe(self, standing: Standing, observed: float, hits: float) -> None:
        _add_to(self._ripe, standing, observed, hits)
        _add_to(self._by_type, standing[1:], observed, hits)
        _add_to(self._by_friction, standing[2:], observed, hits)
        self._all[0] += observed
        self._all[1] += hits

    def _is_ripe(self, day: int) -> bool:
        return day <= self.newest // DAY_MS - _RIPE_DAYS

    def _ripen(self) -> None:
        for day in [day for day in self._pending if self._is_ripe(day)]:
            for standing, counts in self._pending.pop(day).items():
                self._add(day, standing, *counts)


def _add_to(counts: dict[Any, Counts], key: Any, observed: float, hits: float) -> None:
    known = counts.get(key)
    if known is None:
        counts[key] = [observed, hits]
    else:
        known[0] += observed
        known[1] += hits
