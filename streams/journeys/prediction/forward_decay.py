"""Counts that fade with event time, as sums that may be added up in any order and on any machine.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay: A Practical Time Decay Model for Streaming
Systems", ICDE 2009): instead of shrinking what was counted, what is newer weighs more. A count then is a plain
sum of weights, whatever the order; divided by the weight of a moment it says how many there are as of then.
"""

from typing import Final

#: 2035-01-01, where a weight is 1. With half-lives of at least 7 days doubles reach 19 years either way.
LANDMARK_MS: Final = 2_051_222_400_000
_MOST: Final = 1000.0  #: half-lives from the landmark; doubles end at 1023


def weight(at: int, half_life: int) -> float:
    """What a touchpoint at an event time (UTC ms) weighs: twice as much each half-life (ms)."""
    return float(2.0 ** max(-_MOST, min(_MOST, (at - LANDMARK_MS) / half_life)))
