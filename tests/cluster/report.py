"""The table of outcomes for docs/delivery.md."""

from collections.abc import Iterable
from itertools import groupby
from statistics import quantiles

from tests.faults.suite import Outcome

COLUMNS = (
    "fault", "events", "runs", "lost", "visible duplicates", "wrong", "restarts", "recovery p50", "p99", "what was seen"
)  # fmt: skip


def rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    """One row a fault."""
    found = []
    ordered = sorted(outcomes, key=lambda outcome: outcome.fault)
    for number, group in groupby(ordered, key=lambda outcome: outcome.fault):
        runs = list(group)
        verdicts = [one.verdict for one in runs if one.verdict is not None]
        recoveries = sorted(seconds for one in runs for seconds in one.recoveries)
        wrong = sum(
            v.wrong_owners + v.wrong_states + v.strangers + v.overcommitted + v.wrong_signals
            for v in verdicts
        ) + sum(one.verdict is None or bool(one.problems) for one in runs)
        seen = dict.fromkeys(note for one in runs for note in one.notes)
        found.append(
            (
                f"{number} {runs[0].title}", f"{sum(v.published for v in verdicts):,}", str(len(runs)),
                str(sum(v.lost for v in verdicts)), str(sum(v.duplicates for v in verdicts)), str(wrong),
                str(sum(one.restarts for one in runs)), _quantile(recoveries, 50), _quantile(recoveries, 99),
                "; ".join(seen),
            )
        )  # fmt: skip
    return found


def markdown(outcomes: Iterable[Outcome]) -> str:
    """The table for the docs."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(outcomes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _quantile(values: list[float], percent: int) -> str:
    """A percentile in seconds; with one value that value, with none nothing."""
    if not values:
        return ""
    found = values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
    return f"{found:.1f} s"
