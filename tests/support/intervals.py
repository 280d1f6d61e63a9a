"""Confidence intervals of proportions, as the view experiment_results defines them, in plain Python."""

from math import log, sqrt
from statistics import NormalDist
from typing import Final

Z: Final = NormalDist().inv_cdf(0.975)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95% interval of a proportion (Wilson 1927)."""
    middle = successes + Z * Z / 2
    half = Z * sqrt(successes * (trials - successes) / trials + Z * Z / 4)
    return (middle - half) / (trials + Z * Z), (middle + half) / (trials + Z * Z)


def newcombe(successes: int, trials: int, others: int, other_trials: int) -> tuple[float, float]:
    """The 95% interval of the difference of two proportions (Newcombe 1998, method 10)."""
    one, other = successes / trials, others / other_trials
    (low, high), (other_low, other_high) = wilson(successes, trials), wilson(others, other_trials)
    difference = one - other
    return (
        difference - sqrt((one - low) ** 2 + (other_high - other) ** 2),
        difference + sqrt((high - one) ** 2 + (other - other_low) ** 2),
    )


def always_valid_width(
    successes: int, trials: int, others: int, other_trials: int, *, tau: float, alpha: float = 0.05
) -> float:
    """Half the width of the always-valid interval of the difference (mSPRT; Johari, Koomen, Pekelis and Walsh 2022)."""
    variance = sum(
        (n + 1) / (total + 2) * (1 - (n + 1) / (total + 2)) / total
        for n, total in ((successes, trials), (others, other_trials))
    )
    both = variance + tau * tau
    return sqrt(variance * both / (tau * tau) * (2 * log(1 / alpha) + log(both / variance)))
