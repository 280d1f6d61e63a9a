"""Credit for conversions by each model, by its definition: slowly, and in another way than the view."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np

#: (touch, currency) → conversions and revenue
Credits = dict[tuple[str, str], tuple[float, float]]

START, LOSS = "<start>", "<loss>"


class Path(NamedTuple):
    """Touches, their ages in seconds, and what came of them."""

    touches: list[str]
    ages: list[float]
    converted: bool
    amount: int
    currency: str


def credits_of(model: str, paths: list[Path], half_life: float) -> Credits:
    """The credits of a model."""
    if model == "markov":
        return markov(paths)
    given: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for path in paths:
        if path.converted:
            for touch, weight in _weights(model, path, half_life).items():
                given[touch, path.currency][0] += weight
                given[touch, path.currency][1] += weight * path.amount
    return {key: (one, other) for key, (one, other) in given.items()}


def _weights(model: str, path: Path, half_life: float) -> dict[str, float]:
    touches, n = path.touches, len(path.touches)
    if model == "shapley":
        return shapley(set(touches))
    weights = [0.0] * n
    if model == "first":
        weights[0] = 1
    elif model == "last":
        weights[-1] = 1
    elif model == "last_non_direct":
        weights[max((i for i, touch in enumerate(touches) if touch != "(direct)"), default=n - 1)] = 1
    elif model == "linear":
        weights = [1 / n] * n
    elif model == "position":
        weights = {1: [1.0], 2: [0.5, 0.5]}.get(n) or [0.4, *[0.2 / (n - 2)] * (n - 2), 0.4]
    else:
        halved = [0.5 ** ((age - path.ages[-1]) / half_life) for age in path.ages]
        weights = [weight / sum(halved) for weight in halved]
    found: dict[str, float] = defaultdict(float)
    for touch, weight in zip(touches, weights, strict=True):
        found[touch] += weight
    return {touch: weight for touch, weight in found.items() if weight}


def shapley(players: set[str]) -> dict[str, float]:
    """One conversion of a path with these touches: the mean over all orders of what each touch adds when it comes."""
    orders = list(permutations(sorted(players)))
    found: dict[str, float] = dict.fromkeys(players, 0.0)
    for order in orders:
        for place, player in enumerate(order):
            before, after = set(order[:place]), set(order[: place + 1])
            found[player] += ((players <= after) - (players <= before)) / len(orders)
    return found


def conversion_chance(paths: Iterable[Path], removed: str | None = None) -> float:
    """The chance to convert in the chain of order 1, by numpy's inverse; who comes to `removed` is lost."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in paths:
        counts.update(pairwise([START, *path.touches, "<goal>" if path.converted else LOSS]))
    leaving: Counter[str] = Counter()
    for (one, _), count in counts.items():
        leaving[one] += count
    states = sorted(name for name in leaving if name != removed)
    inner = np.array([[counts[one, other] / leaving[one] for other in states] for one in states])
    goal = np.array([counts[one, "<goal>"] / leaving[one] for one in states])
    return float((np.linalg.inv(np.eye(len(states)) - inner) @ goal)[states.index(START)])


def markov(paths: list[Path]) -> Credits:
    """Removal effects, shared out to all conversions and all revenue."""
    whole = conversion_chance(paths)
    names = {touch for path in paths for touch in path.touches}
    effects = {name: 1 - conversion_chance(paths, name) / whole for name in names}
    total = sum(effects.values())
    conversions: Counter[str] = Counter(path.currency for path in paths if path.converted)
    revenue: Counter[str] = Counter()
    for path in paths:
        revenue[path.currency] += path.amount
    return {
        (name, currency): (effect / total * count, effect / total * revenue[currency])
        for name, effect in effects.items()
        for currency, count in conversions.items()
    }
