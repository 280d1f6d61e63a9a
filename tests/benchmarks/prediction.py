"""Is what we predict better than the base rate? On simulated and, where present, real journeys.

    python -m tests.benchmarks.prediction

The model learns online, in event-time order, from the first 70% of the time, and predicts the rest without learning
from it. The base rate is what it learnt too: the share of each next type, the share with a contact. Journeys are
those of `touchline replay`. Outcomes that the data ends too early to show are left out.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from zlib import crc32

from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.touchpoint_files import read_touchpoints
from deploy.simulation.population import Population, simulate
from schemas.encoding.record_types import PREDICTION_MODEL
from schemas.encoding.splicing import encode_predictions, put_predictions
from schemas.records import Touchpoint
from streams.identity.policy.load import load
from streams.journeys.prediction.predictions import Model
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.prediction.risk import HORIZON_MS, Standing
from streams.journeys.prediction.transitions import Origin
from streams.journeys.state.fold import Fold
from streams.replay import Replay
from tests.support.built_in import CATALOGUE, RULES

ECOM = Path("/work/shared/data/ecom.csv.gz")
MAPPING = Path(__file__).parents[2] / "deploy" / "ingest" / "examples" / "ecom.toml"
LEARN = 0.7  #: of the time
LEAST = 1e-4  #: no forecast counts as surer than this, or one miss would decide the log-loss


#: A journey's id and one touchpoint of it.
Item = tuple[str, Touchpoint]


@dataclass
class Held:
    """What was predicted from, and what happened then, in the part that was held back."""

    nexts: list[tuple[Origin, str]] = field(default_factory=list)
    risks: list[tuple[Standing, bool]] = field(default_factory=list)


def journeys(touchpoints: Iterable[Touchpoint]) -> list[Item]:
    """Every touchpoint with its journey, in event-time order."""
    replay = Replay(load("", b"k" * 32, "k1"), CATALOGUE, RULES)
    for touchpoint in touchpoints:
        replay.add(touchpoint)
    items = [(owned.profile_id, owned.touchpoint) for owned in replay.owned()]
    return sorted(items, key=lambda item: (item[1]["occurred_at"], item[1]["event_id"]))


def ecom() -> Iterator[Touchpoint]:
    """The real log."""
    for sourced in read_touchpoints([str(ECOM)], load_mapping(str(MAPPING))):
        if sourced.touchpoint is not None:
            yield sourced.touchpoint


def learn(
    items: Sequence[Item], until: float, parts: int = 1
) -> tuple[list[Model], dict[str, RecentPath], int]:
    """Learn what happened up to then, divided over so many partitions. Returns how many touchpoints, too."""
    models = [Model(RULES.prediction_half_life_ms) for _ in range(parts)]
    paths: dict[str, RecentPath] = defaultdict(RecentPath)
    for count, (journey, touchpoint) in enumerate(items):
        if touchpoint["occurred_at"] > until:
            return models, paths, count
        model = models[crc32(journey.encode()) % parts]
        paths[journey].advance(touchpoint, CATALOGUE, model.transitions, model.risk)
    return models, paths, len(items)


def hold_back(items: Sequence[Item], paths: dict[str, RecentPath], end: int) -> Held:
    """Go on without learning."""
    held = Held()
    acts: dict[str, list[Origin]] = defaultdict(list)
    risks: dict[str, list[tuple[int, Standing]]] = defaultdict(list)
    for journey, touchpoint in items:
        at, kind = touchpoint["occurred_at"], CATALOGUE.type(touchpoint["type"])
        if kind.direction == "inbound":
            held.nexts += ((origin, touchpoint["type"]) for origin in acts.pop(journey, ()))
            if kind.component == "service" and kind.effect != "survey":
                held.risks += ((was, at - then <= HORIZON_MS) for then, was in risks.pop(journey, ()))
        path = paths[journey]
        path.advance(touchpoint, CATALOGUE)
        acts[journey].append(path.origin)
        if at <= end - HORIZON_MS:
            risks[journey].append((at, path.standing()))
    held.risks += ((was, False) for waiting in risks.values() for _, was in waiting)
    return held


def score_next(held: Held, forecast: Callable[[Origin], dict[str, float]]) -> str:
    """Brier score over all types (0 best, 2 worst), log-loss (nats), how often the first (three) were right."""
    brier = loss = first = three = 0.0
    ranked: dict[Origin, tuple[dict[str, float], float, list[str]]] = {}
    for origin, happened in held.nexts:
        if origin not in ranked:
            shares = forecast(origin)
            squares = sum(share * share for share in shares.values())
            ranked[origin] = shares, squares, sorted(shares, key=lambda name: -shares[name])[:3]
        shares, squares, best = ranked[origin]
        share = shares.get(happened, 0.0)
        brier += squares - 2 * share + 1
        loss -= math.log(max(share, LEAST))
        first += best[0] == happened
        three += happened in best
    n = len(held.nexts)
    return f"Brier {brier / n:.4f}   log-loss {loss / n:.4f}   top-1 {first / n:.1%}   top-3 {three / n:.1%}"


def score_risk(held: Held, forecast: Callable[[Standing], float]) -> str:
    """Brier score (0 best, 1 worst) and log-loss (nats)."""
    brier = loss = 0.0
    for standing, happened in held.risks:
        chance = min(1 - LEAST, max(LEAST, forecast(standing)))
        brier += (chance - happened) ** 2
        loss -= math.log(chance if happened else 1 - chance)
    return f"Brier {brier / len(held.risks):.4f}   log-loss {loss / len(held.risks):.4f}"


def calibration(held: Held, model: Model) -> Iterator[str]:
    """Predicted and observed share of contacts by tenth of the predictions."""
    pairs = sorted((model.risk.probability(standing) or 0.0, happened) for standing, happened in held.risks)
    for tenth in range(10):
        part = pairs[tenth * len(pairs) // 10 : (tenth + 1) * len(pairs) // 10]
        predicted = sum(chance for chance, _ in part) / len(part)
        observed = sum(happened for _, happened in part) / len(part)
        yield f"    tenth {tenth + 1:>2}   predicted {predicted:6.1%}   observed {observed:6.1%}"


def report(name: str, items: list[Item]) -> None:
    """Learn, predict, and say how good it was."""
    first, end = items[0][1]["occurred_at"], items[-1][1]["occurred_at"]
    until = first + (end - first) * LEARN
    begun = process_time()
    (model,), paths, learnt = learn(items, until)
    seconds = process_time() - begun
    held = hold_back(items[learnt:], paths, end)
    days = (end - first) / 86_400_000
    _say(
        f"{name}: {len(items):,} touchpoints, {len({journey for journey, _ in items}):,} journeys, {days:.0f} days"
    )
    _say(
        f"  learnt {learnt:,} at {seconds / learnt * 1e6:.1f} µs of CPU each; both models take {_size(model):,} bytes"
    )
    _say(f"  likely_next, {len(held.nexts):,} predictions")
    base = model.transitions.distribution(("", "no such type"))
    _say(f"    model        {score_next(held, model.transitions.distribution)}")
    _say(f"    base rate    {score_next(held, lambda _: base)}")
    quarter = learn(items, until, parts=4)[0]
    _say(f"    one of four partitions alone   {score_next(held, quarter[0].transitions.distribution)}")
    for other in quarter[1:]:
        quarter[0].transitions.absorb(other.transitions)
    _say(f"    the four merged                {score_next(held, quarter[0].transitions.distribution)}")
    observed = sum(happened for _, happened in held.risks) / len(held.risks)
    rate = model.risk.base_rate or 0.0
    _say(
        f"  issue_risk, {len(held.risks):,} predictions; contacts: {rate:.1%} learnt, {observed:.1%} observed"
    )
    _say(f"    model        {score_risk(held, lambda standing: model.risk.probability(standing) or 0.0)}")
    _say(f"    base rate    {score_risk(held, lambda _: rate)}")
    for line in calibration(held, model):
        _say(line)
    _say(f"  attaching both to a published state: {_attaching(items, model):.1f} µs of CPU\n")


def _size(model: Model) -> int:
    model.transitions.prune()
    model.risk.prune()
    return len(PREDICTION_MODEL.encode(model.dump()))


def _attaching(items: list[Item], model: Model) -> float:
    fold = Fold(CATALOGUE, RULES)
    fold.advance(items[0][1], items[0][1]["identifiers"][0])
    _, sealed = fold.sealed("default", "p1", 1)
    paths = [RecentPath() for _ in range(2000)]
    for path, (_, touchpoint) in zip(paths, items, strict=False):
        path.advance(touchpoint, CATALOGUE)
    begun = process_time()
    for path in paths:
        put_predictions(
            sealed,
            encode_predictions(model.likely_next(path.origin), model.issue_risk(path.standing()), "1.0.1"),
        )
    return (process_time() - begun) / len(paths) * 1e6


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run every measurement."""
    population = Population(people=5_000, events=150_000, seed=1, days=60)
    report("simulated (touchline simulate's people)", journeys(simulate(population)))
    if ECOM.exists():
        report("real (the ecom log)", journeys(ecom()))


if __name__ == "__main__":
    main()
