"""Exponentially decayed sums and means, exact to the bit: the same touchpoints in fold order give the same float.

Adding decays the stored value. Reading does not change it, so the result does not depend on how often a journey was
published. Times and half-lives are milliseconds.
"""

from typing import Any


class DecayedSum:
    """A sum whose parts halve every `half_life` milliseconds."""

    __slots__ = ("_at", "_half_life", "_value")

    def __init__(self, half_life: int) -> None:
        self._half_life = half_life
        self._value = 0.0
        self._at = 0

    def add(self, amount: float, at: int) -> tuple[float, float]:
        """Add at an event time, no earlier than the last. Returns the sum before and after."""
        before = self.value(at)
        self._value = before + amount
        self._at = at
        return before, self._value

    def value(self, at: int) -> float:
        """The sum as of an event time."""
        return float(self._value * 0.5 ** ((at - self._at) / self._half_life)) if self._value else 0.0

    def dump(self) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {"value": self._value, "at": self._at}

    def load(self, record: dict[str, Any]) -> None:
        """Back from `dump`."""
        self._value, self._at = record["value"], record["at"]

    def absorb(self, other: "DecayedSum") -> None:
        """Add another sum, which may be of an earlier or a later time."""
        at = max(self._at, other._at)
        self._value, self._at = self.value(at) + other.value(at), at


class DecayedMean:
    """A mean whose parts' weights halve every `half_life` milliseconds; None before the first."""

    __slots__ = ("_at", "_half_life", "_total", "_weight")

    def __init__(self, half_life: int) -> None:
        self._half_life = half_life
        self._total = 0.0
        self._weight = 0.0
        self._at = 0

    def add(self, amount: float, at: int) -> tuple[float | None, float]:
        """Add at an event time, no earlier than the last. Returns the mean before and after."""
        before = self.value()
        if before is None:
            self._total, self._weight = amount, 1.0
        else:
            fade = 0.5 ** ((at - self._at) / self._half_life)
            self._total = self._total * fade + amount
            self._weight = self._weight * fade + 1.0
        self._at = at
        return before, self._total / self._weight

    def value(self) -> float | None:
        """The mean. It needs no time: decay changes all weights by one factor."""
        return self._total / self._weight if self._weight else None

    def dump(self) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {"total": self._total, "weight": self._weight, "at": self._at}

    def load(self, record: dict[str, Any]) -> None:
        """Back from `dump`."""
        self._total, self._weight, self._at = record["total"], record["weight"], record["at"]

    def absorb(self, other: "DecayedMean") -> None:
        """Add another mean's observations, which may be of earlier or later times."""
        if not other._weight:
            return
        if not self._weight:
            self._total, self._weight, self._at = other._total, other._weight, other._at
            return
        at = max(self._at, other._at)
        mine, theirs = (0.5 ** ((at - side._at) / self._half_life) for side in (self, other))
        self._total = self._total * mine + other._total * theirs
        self._weight = self._weight * mine + other._weight * theirs
        self._at = at
