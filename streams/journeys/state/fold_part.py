"""A part of the fold: what it must do, so that the fold can be written down, read back and merged part by part."""

from typing import Any, Protocol, Self

from streams.journeys.state.sessions import Session, SessionPool


class FoldPart(Protocol):
    """Accumulates some figures of one journey. `Fold.PARTS` lists all parts."""

    def dump(self, pool: SessionPool, /) -> dict[str, Any]:
        """The part's fields of FoldSummary.avsc. `pool` numbers the sessions that they refer to."""

    def load(self, record: dict[str, Any], pool: list[Session], /) -> None:
        """Restore a new part from a FoldSummary. It may keep values of `record`. Raises ValueError or LookupError."""

    def absorb(self, other: Self, /) -> None:
        """Merge the part of another identifier, whose touchpoints may be before, between and after these.

        It may keep and mutate parts of `other`, which is used up.
        """
