"""The table of a session: fault, events, runs and seeds to lost, visible duplicates, wrong, recovery, controls."""

from collections.abc import Iterable
from itertools import groupby
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from tests.faults.suite import Outcome

COLUMNS = (
    "fault", "", "events", "runs", "seeds", "lost", "visible duplicates", "wrong", "moments met", "restarts",
    "recovery p50", "p99", "controls: harmed without", "moments met", "a run takes",
)  # fmt: skip


def rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    """One row a fault; its controls beside it."""
    found: list[tuple[str, ...]] = []
    ordered = sorted(outcomes, key=lambda outcome: outcome.fault)
    for number, group in groupby(ordered, key=lambda outcome: outcome.fault):
        both = list(group)
        runs, controls = [o for o in both if not o.control], [o for o in both if o.control]
        verdicts = [o.verdict for o in runs if o.verdict is not None]
        recoveries = sorted(seconds for o in runs for seconds in o.recoveries)
        found.append(
            (
                str(number), both[0].title, f"{sum(v.published for v in verdicts):,}", str(len(runs)),
                _span([o.seed for o in both]),
                str(sum(v.lost for v in verdicts)), str(sum(v.duplicates for v in verdicts)),
                str(sum(map(_wrong, runs))), _met(runs), str(sum(o.restarts for o in runs)),
                _quantile(recoveries, 50), _quantile(recoveries, 99), "; ".join(_harmed(controls)), _met(controls),
                f"{sum(o.seconds for o in both) / len(both):.0f} s",
            )
        )  # fmt: skip
    return found


def _wrong(run: Outcome) -> int:
    """Differences that are neither lost nor a duplicate; 1 for a run that came to no end or found a problem."""
    verdict = run.verdict
    if verdict is None:
        return 1
    return (
        verdict.wrong_owners + verdict.wrong_states + verdict.strangers + verdict.overcommitted
        + sum(getattr(verdict, name) for name in run.never) + bool(run.problems)
    )  # fmt: skip


def _harmed(controls: list[Outcome]) -> list[str]:
    names = dict.fromkeys(one.control for one in controls)
    return [
        f"{name} {sum(one.harmed for one in controls if one.control == name)}"
        f" of {sum(one.control == name for one in controls)}"
        for name in names
    ]


def _met(outcomes: list[Outcome]) -> str:
    aimed = sum(one.aimed for one in outcomes)
    return f"{sum(one.met for one in outcomes)} of {aimed}" if aimed else ""


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


def summary(outcomes: Iterable[Outcome]) -> str:
    """What all trials together show, as a sentence."""
    outcomes = list(outcomes)
    runs, controls = [o for o in outcomes if not o.control], [o for o in outcomes if o.control]
    verdicts = [o.verdict for o in runs if o.verdict is not None]
    return (
        f"{len(runs)} runs with all protections and {sum(v.published for v in verdicts):,} touchpoints:"
        f" {sum(v.lost for v in verdicts)} lost, {sum(v.duplicates for v in verdicts)} visible twice,"
        f" {sum(o.harmed for o in runs)} runs harmed. Of {len(controls)} control runs {sum(o.harmed for o in controls)}"
        f" were harmed. Moments met: {_met(outcomes)}."
    )


BEGIN, END = "<!-- faults -->", "<!-- /faults -->"


def into(page: str, outcomes: Iterable[Outcome]) -> str:
    """A page with summary and table between its two marks. Raises ValueError if a mark is missing."""
    outcomes = list(outcomes)
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"the page has no {BEGIN} with {END} after it")
    return f"{before}{BEGIN}\n\n{summary(outcomes)}\n\n{markdown(outcomes)}\n\n{END}{after}"


def _span(seeds: list[int]) -> str:
    low, high = min(seeds), max(seeds)
    return str(low) if low == high else f"{low}-{high}"


def _quantile(values: list[float], percent: int) -> str:
    """A percentile in seconds; with one value that value, with none nothing."""
    if not values:
        return ""
    found = values[0] if len(values) == 1 else quantiles(values, n=100, method="inclusive")[percent - 1]
    return f"{found:.1f} s"
