"""Forward decay: counts that decay with event time, as sums that may be added up in any order and on any machine.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay: A Practical Time Decay Model for Streaming
Systems", ICDE 2009): newer observations get more weight instead of older ones less. A count is then a plain
sum of weights, in any order. Divided by the weight of a time, it is the decayed count as of that time.
"""

from typing import Final

#: 2035-01-01, where a weight is 1. With half-lives of at least 7 days doubles reach 19 years either way.
LANDMARK_MS: Final = 2_051_222_400_000
_MOST: Final = 1000.0  #: largest distance from the landmark, in half-lives: exponents of doubles end at 1023


def weight(at: int, half_life: int) -> float:
    """The weight of a touchpoint at an event time (UTC ms). It doubles each half-life (ms)."""
    return float(2.0 ** max(-_MOST, min(_MOST, (at - LANDMARK_MS) / half_life)))
