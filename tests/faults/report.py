"""The table of a session: fault, events, repetitions and seeds to lost, visible duplicates and recovery."""

from collections.abc import Iterable
from itertools import groupby
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from tests.faults.suite import Outcome

COLUMNS = (
    "fault", "", "events", "runs", "seeds", "lost", "visible duplicates", "wrong", "raw duplicates", "restarts",
    "recovery p50", "p99", "control: without", "harmed", "a run takes",
)  # fmt: skip


def rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    """One row a fault; its control arm beside it."""
    found: list[tuple[str, ...]] = []
    ordered = sorted(outcomes, key=lambda outcome: outcome.fault)
    for number, group in groupby(ordered, key=lambda outcome: outcome.fault):
        both = list(group)
        runs, controls = [o for o in both if not o.control], [o for o in both if o.control]
        verdicts = [o.verdict for o in runs if o.verdict is not None]
        recoveries = sorted(seconds for o in runs for seconds in o.recoveries)
        stuck = sum(o.verdict is None for o in runs)
        found.append(
            (
                str(number), both[0].title, f"{sum(v.published for v in verdicts):,}", str(len(runs)),
                _span([o.seed for o in both]),
                str(sum(v.lost for v in verdicts)), str(sum(v.duplicates for v in verdicts)),
                str(sum(v.wrong_owners + v.wrong_states + v.strangers + v.overcommitted for v in verdicts) + stuck),
                str(sum(v.raw_duplicates for v in verdicts)), str(sum(o.restarts for o in runs)),
                _quantile(recoveries, 50), _quantile(recoveries, 99), controls[0].control if controls else "",
                f"{sum(o.harmed for o in controls)} of {len(controls)}" if controls else "",
                f"{sum(o.seconds for o in both) / len(both):.0f} s",
            )
        )  # fmt: skip
    return found


def show(outcomes: Iterable[Outcome], console: Console) -> None:
    """Print the table."""
    table = Table(*COLUMNS, header_style="bold")
    for row in rows(outcomes):
        table.add_row(*row)
    console.print(table)


def markdown(outcomes: Iterable[Outcome]) -> str:
    """The table for the docs."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(outcomes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _span(seeds: list[int]) -> str:
    low, high = min(seeds), max(seeds)
    return str(low) if low == high else f"{low}-{high}"


def _quantile(values: list[float], percent: int) -> str:
    """A percentile in seconds; with one value that value, with none nothing."""
    if not values:
        return ""
    found = values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
    return f"{found:.1f} s"
