"""The tables of docs/sizing.md, made from the model: `python -m deploy.sizing.document` writes them anew."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

from deploy.sizing import model
from deploy.sizing.model import Figure, Load, Size, size

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "sizing.md"
#: The loads of the page's examples.
EXAMPLES: Final = (Load(20, 1_000_000, 365), Load(500, 20_000_000, 365), Load(3_000, 100_000_000, 180))
#: Field of Size → what a person calls it, and how it is written.
WORDS: Final = {
    "partitions": ("partitions (`TOUCHLINE_PARTITIONS`)", "{:,}"),
    "workers": ("workers, a core each", "{:,}"),
    "worker_gib": ("memory of a worker, GiB", "{:,.1f}"),
    "loaders": ("loaders", "{:,}"),
    "collectors": ("collectors, for single events", "{:,}"),
    "brokers": ("Kafka: brokers", "{:,}"),
    "broker_cores": ("cores of each broker", "{:,.1f}"),
    "broker_disk_gib": ("disk of each broker, GiB", "{:,.0f}"),
    "broker_mib_per_second": ("written to each broker, MiB/s", "{:,.1f}"),
    "clickhouse_cores": ("ClickHouse: cores", "{:,.1f}"),
    "clickhouse_gib": ("memory, GiB", "{:,.0f}"),
    "clickhouse_disk_gib": ("disk of each replica, GiB", "{:,.0f}"),
    "funnel_seconds": ("a funnel over everything, seconds", "{:,.0f}"),
    "recovery_seconds": ("a lost worker's state is restored in, seconds", "{:,.0f}"),
    "tenant_identity_gib": ("the largest tenant: identity's memory in one worker, GiB", "{:,.1f}"),
    "tenant_recovery_seconds": ("its recovery, seconds", "{:,.0f}"),
    "tenant_decisions_share": ("its share of the one core that decides", "{:.1%}"),
}


def rows(found: Size) -> list[tuple[str, str]]:
    """What is needed and how much, for a table."""
    values = asdict(found)
    return [(words, form.format(values[name])) for name, (words, form) in WORDS.items()]


def figures() -> Iterator[tuple[str, Figure]]:
    """All figures of the model, by name."""
    for name, value in vars(model).items():
        if isinstance(value, Figure):
            yield name, value


def document(text: str) -> str:
    """The page with its tables made anew; each stands between two comments."""
    tables = {
        "examples": _examples(),
        "measured": _figures(measured=True),
        "chosen": _figures(measured=False),
    }
    for name, table in tables.items():
        text, count = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda match, table=table: f"{match[1]}{table}\n{match[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"docs/sizing.md has {count} places for the table {name}")
    return text


def _examples() -> str:
    sizes = [size(load) for load in EXAMPLES]
    head = [
        "",
        *(
            f"{load.events_per_second:,.0f}/s, {load.profiles:,} people, {load.retention_days:.0f} days"
            for load in EXAMPLES
        ),
    ]
    body = [
        [words, *(rows(each)[place][1] for each in sizes)] for place, (words, _) in enumerate(rows(sizes[0]))
    ]
    return _table([head, *body])


def _figures(*, measured: bool) -> str:
    head = ["figure", "", "of", *(["measured by"] if measured else [])]
    body = [
        [f"{each.value:,g}", each.unit, each.meaning, *([f"`{each.command}`"] if measured else [])]
        for _, each in figures()
        if bool(each.command) == measured
    ]
    return _table([head, *body])


def _table(lines: list[list[str]]) -> str:
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
