"""What a soak saw: figures of growth as a table, and the series as a plot."""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.soak.growth import Growth
from tests.soak.sampling import Sample

COLUMNS: Final = ("series", "at first", "at last", "highest", "growth an hour", "allowed", "because")
PROCESSES: Final = ("worker-1", "worker-2", "loader", "kafka", "clickhouse")


def read(file: Path) -> tuple[list[Sample], list[dict[str, Any]]]:
    """The samples and the deaths of a file that a soak wrote."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if "processes" in line], [line for line in lines if "killed" in line]


def rows(found: Iterable[Growth]) -> list[tuple[str, ...]]:
    """One row a series."""
    return [
        (
            one.name, f"{one.first:,.0f}", f"{one.last:,.0f}", f"{one.highest:,.0f}",
            f"{'?' if one.slope is None else f'{one.slope:+,.1f}'} {one.unit}{'' if one.right else ' **too much**'}",
            f"{one.allowed:,.0f}", one.because,
        )
        for one in found
    ]  # fmt: skip


def markdown(found: Iterable[Growth]) -> str:
    """The table for the docs."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows(found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(samples: list[Sample], deaths: list[dict[str, Any]], file: Path, title: str) -> None:
    """Eight panels over time, to SVG or PNG by the file's name; a dotted line where a process was killed."""
    import matplotlib as mpl  # it comes with the extra `bench`

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "soak"  # the same samples draw the same file
    from matplotlib import pyplot as plt

    minutes = [one["at"] / 60 for one in samples]
    figure, panels = plt.subplots(4, 2, figsize=(11, 11), sharex=True)
    for axes, (name, lines) in zip(panels.flat, _panels(samples).items(), strict=True):
        for line, values in lines.items():
            axes.plot(minutes, values, label=line, linewidth=1)
        for death in deaths:
            axes.axvline(death["at"] / 60, color="#94a3b8", linestyle=":", linewidth=0.8)
        axes.set_title(name, fontsize=9)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7, frameon=False, ncols=3, loc="upper left")
    for axes in panels[-1]:
        axes.set_xlabel("minutes; dotted: kill -9", fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def _panels(samples: list[Sample]) -> dict[str, dict[str, list[float | None]]]:
    def of(key: str) -> dict[str, list[float | None]]:
        return {name: [_figure(one, name, key) for one in samples] for name in PROCESSES}

    groups = sorted({group for one in samples for group in one["lag"] or ()})
    return {
        "resident memory, MiB": of("rss_mib"),
        "memory without file pages, MiB": of("anon_mib"),
        "open files": of("files"),
        "threads": of("threads"),
        "CPU, percent of a core": {name: _cpu(samples, name) for name in PROCESSES},
        "disk, MiB": {
            what: [one["disk_mib"][what] for one in samples] for what in ("kafka", "clickhouse", "state")
        },
        "parts of ClickHouse's tables": {
            "active": [one["parts"] for one in samples], "replaced": [one["old_parts"] for one in samples],
        },
        "records that a group is behind": {
            group: [one["lag"] and one["lag"].get(group) for one in samples] for group in groups
        },
    }  # fmt: skip


def _figure(one: Sample, name: str, key: str) -> float | None:
    process = one["processes"].get(name)
    return None if process is None else process[key]


def _cpu(samples: list[Sample], name: str) -> list[float | None]:
    """Between a sample and the one before; None at a start."""
    found: list[float | None] = [None] if samples else []
    for before, one in pairwise(samples):
        earlier, later = before["processes"].get(name), one["processes"].get(name)
        if earlier is None or later is None or earlier["pid"] != later["pid"]:
            found.append(None)
        else:
            found.append(100 * (later["cpu_s"] - earlier["cpu_s"]) / max(one["at"] - before["at"], 0.1))
    return found
