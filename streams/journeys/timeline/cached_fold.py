"""The fold over a profile's touchpoints, kept while they only grow at the end, and folded again when they change.

The native core folds, if it runs and covers the touchpoints (streams/journeys/state/native_fold.py): all that is new
in one call, and all anew when the order has changed. Where Python folds, a fold over a long timeline is costly. So a
checkpoint of it is kept: the fold over the oldest touchpoints, encoded. A touchpoint that is late by a few places folds
again from there.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.records import Identifier, Touchpoint
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import Owned, advance_all
from streams.journeys.state.native_fold import AnyFold, NativeFold, native_fold
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.entry import Entry, Node
from streams.journeys.timeline.horizon_summary import HorizonSummary, begin

#: Distance of the checkpoint from the newest touchpoint: one that is late by fewer places folds again from there.
CHECKPOINT_DISTANCE: Final = 32


class Folded(Protocol):
    """The touchpoints that are folded."""

    @property
    def tenant(self) -> str:
        """Whose customer it is."""

    @property
    def order(self) -> list[Stamp]:
        """Time and event of each touchpoint that counts, in fold order."""

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Event to the copy that counts."""

    @property
    def summaries(self) -> Mapping[Node, HorizonSummary]:
        """What is beyond the horizon, by owner."""


@dataclass(slots=True)
class CachedFold:
    """A fold over the first `count` touchpoints of an order, and a checkpoint: (touchpoints in it, FoldSummary)."""

    fold: AnyFold | None = None
    count: int = 0
    checkpoint: tuple[int, bytes] | None = None

    def append(self, touchpoint: Touchpoint, owner: Identifier, length: int) -> None:
        """Fold the touchpoint that is the newest of now `length`, if the fold has all others; `owner` owns it.

        A native fold takes it later, in `over`, with what else comes until then.
        """
        fold = self.fold
        if isinstance(fold, Fold) and self.count == length - 1:
            fold.advance(touchpoint, owner)
            self.count = length

    def forget(self, index: int = 0) -> None:
        """Forget the fold, since the order has changed from this index on."""
        self.fold = None
        if self.checkpoint is not None and index < self.checkpoint[0]:
            self.checkpoint = None

    def begin_later(self, count: int) -> bool:
        """Go on without the oldest `count` touchpoints in the order, now in a summary equal to the fold over them.

        Returns False, and changes nothing, if the fold does not cover them.
        """
        if self.fold is None or self.count < count:
            return False
        self.count, self.checkpoint = self.count - count, None
        return True

    def over(self, touchpoints: Folded, catalogue: Catalogue, rules: JourneyRules) -> AnyFold:
        """The fold over all of the touchpoints: what is new at the end is appended, anything else folds again."""
        return self._native(touchpoints, catalogue, rules) or self._python(touchpoints, catalogue, rules)

    def _native(self, touchpoints: Folded, catalogue: Catalogue, rules: JourneyRules) -> NativeFold | None:
        """The native fold over all of the touchpoints; None if Python folds them.

        The native core does not read summaries and checkpoints: a fold that begins with one is Python's.
        """
        fold = self.fold
        if fold is None and self.checkpoint is None and not touchpoints.summaries:
            fold, self.count = native_fold(catalogue, rules), 0
        if not isinstance(fold, NativeFold):
            return None
        order, entries = touchpoints.order, touchpoints.entries
        if self.count < len(order):
            if not fold.advance_all([entries[event].value for _, event in order[self.count :]]):
                self.fold = None  # and Python folds from the beginning
                return None
            self.count = len(order)
        self.fold = fold
        return fold

    def _python(self, touchpoints: Folded, catalogue: Catalogue, rules: JourneyRules) -> Fold:
        order = touchpoints.order
        fold, end = self.fold, len(order)
        assert not isinstance(fold, NativeFold)
        rests_at = end
        if fold is None:
            if self.checkpoint is not None:
                self.count = self.checkpoint[0]
                summary = FOLD_SUMMARY.decode_trusted(self.checkpoint[1])
                fold = Fold.load(summary, touchpoints.tenant, catalogue, rules)
            else:
                fold, self.count = _beginning(touchpoints, catalogue, rules)
            if end - self.count > 2 * CHECKPOINT_DISTANCE:
                rests_at -= CHECKPOINT_DISTANCE
            self.fold = fold
        if rests_at < end:
            rests_at = first_of_its_time(order, order[rests_at])
            advance_all(fold, _between(touchpoints, self.count, rests_at))
            self.checkpoint, self.count = (rests_at, FOLD_SUMMARY.encode(fold.dump())), rests_at
        if self.count < end:
            advance_all(fold, _between(touchpoints, self.count, end))
            self.count = end
        return fold


def first_of_its_time(order: list[Stamp], place: Stamp) -> int:
    """Where in an order the touchpoints of a place's time begin: they are folded together."""
    return bisect_left(order, (place[0],))


def _between(touchpoints: Folded, start: int, end: int) -> Iterator[Owned]:
    """The touchpoints from one index in the order to another, decoded, with their owners."""
    for _, event in touchpoints.order[start:end]:
        entry = touchpoints.entries[event]
        yield entry.touchpoint(), {"type": entry.node[0], "value": entry.node[1]}


def _beginning(touchpoints: Folded, catalogue: Catalogue, rules: JourneyRules) -> tuple[Fold, int]:
    """The fold to start from, and how many of the order are in it."""
    summaries = touchpoints.summaries
    if not summaries:
        return Fold(catalogue, rules), 0
    folds = {
        node: summary.unfold(touchpoints.tenant, catalogue, rules) for node, summary in summaries.items()
    }
    older = bisect_right(touchpoints.order, max(summary.boundary for summary in summaries.values()))
    entries = [touchpoints.entries[event] for _, event in touchpoints.order[:older]]
    return begin(folds, ((e.node, e.touchpoint()) for e in entries), catalogue, rules), older
