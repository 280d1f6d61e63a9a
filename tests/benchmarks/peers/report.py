"""What the harness measured as a table of ratios, as JSON and as a plot."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.harness import Cost
from tests.benchmarks.peers.systems import COMPILER, DRY


@dataclass(frozen=True)
class Line:
    """One row: the median of the runs of a system, or of one of its processes."""

    what: str
    cpu_per_million: float  #: CPU seconds per million events
    spread: tuple[float, float]  #: the same, of the best and of the worst run
    events_per_second: float  #: wall; every system has the whole machine
    peak_mib: int

    @property
    def events_per_cpu_second(self) -> float:
        """Events that one core takes in a second."""
        return 1e6 / self.cpu_per_million if self.cpu_per_million else float("inf")


#: CPU seconds per million events; of the best and the worst run; events per CPU second; how many times as many
#: Touchline takes; events a second by the clock; peak memory.
COLUMNS = ("", "CPU s/M", "best-worst", "per CPU s", "touchline", "wall/s", "MiB")


def lines(costs: Iterable[Cost]) -> list[Line]:
    """A row for each system, and for Touchline's worker and loader besides."""
    by_system: dict[str, list[Cost]] = {}
    for cost in costs:
        by_system.setdefault(cost.system, []).append(cost)
    found = []
    for system, runs in by_system.items():
        parts = list(runs[0].cpu_seconds)
        found.append(_line(system, runs, parts))
        if len(parts) > 1:
            found += [_line(f"{system} {part}", runs, [part]) for part in parts]
    return found


def _line(what: str, runs: list[Cost], parts: list[str]) -> Line:
    whole = set(parts) == set(runs[0].cpu_seconds)
    spent = [sum(run.cpu_seconds[part] for part in parts) / run.events * 1e6 for run in runs]
    return Line(
        what, statistics.median(spent), (min(spent), max(spent)),
        statistics.median(run.events / run.wall_seconds for run in runs),
        max(sum(mib for part, mib in run.peak_mib.items() if part in parts or whole) for run in runs),
    )  # fmt: skip


def rows(found: list[Line]) -> list[list[str]]:
    """The table. What inserts is compared with worker and loader together, what does not with the worker alone."""
    by_name = {line.what: line for line in found}
    return [
        [
            line.what, f"{line.cpu_per_million:,.1f}", f"{line.spread[0]:,.1f}-{line.spread[1]:,.1f}",
            f"{line.events_per_cpu_second:,.0f}", _times(line, by_name),
            f"{line.events_per_second:,.0f}", f"{line.peak_mib:,}",
        ]
        for line in found
    ]  # fmt: skip


def ratio(line: Line, by_name: dict[str, Line]) -> float | None:
    """How many times as many events Touchline takes in the same CPU time; None for Touchline itself."""
    dry = DRY in line.what
    own = by_name.get("touchline worker" if dry else "touchline")
    if (
        own is None
        or line.what.startswith("touchline")
        or line.what.endswith(COMPILER)
        or not own.cpu_per_million
    ):
        return None
    return line.cpu_per_million / own.cpu_per_million


def _times(line: Line, by_name: dict[str, Line]) -> str:
    found = ratio(line, by_name)
    return "" if found is None else f"{found:.2f} x"


def to_json(found: list[Line], costs: list[Cost], about: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a file."""
    by_name = {line.what: line for line in found}
    return {
        **about,
        "lines": [
            {
                **{name: getattr(line, name) for name in Line.__dataclass_fields__},
                "events_per_cpu_second": line.events_per_cpu_second, "touchline_is": ratio(line, by_name),
            }
            for line in found
        ],
        "runs": [{**vars(cost)} for cost in costs],
    }  # fmt: skip


def plot(found: list[Line], file: Path, title: str) -> None:
    """Events per CPU second as bars, on a logarithmic axis, to PNG or SVG by the file's name."""
    import matplotlib as mpl  # it comes with the extra `bench`

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [line for line in reversed(found) if _drawn(line.what)]
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(shown) + 1.4))
    bars = axes.barh(
        [line.what for line in shown],
        [line.events_per_cpu_second for line in shown],
        color=["#c2410c" if line.what == "touchline" else "#94a3b8" for line in shown],
    )
    axes.bar_label(bars, [f"{line.events_per_cpu_second:,.0f}" for line in shown], padding=4)
    axes.set_xscale("log")
    axes.set_xlim(left=100, right=3 * max(line.events_per_cpu_second for line in shown))
    axes.set_xlabel("events per second of CPU time, inserts into ClickHouse included")
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=150)


def _drawn(what: str) -> bool:
    """Whether a line is a whole system that inserts, or the compiled code of one."""
    return not (DRY in what or what.endswith(COMPILER) or what in ("touchline worker", "touchline loader"))
