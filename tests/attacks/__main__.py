"""`python -m tests.attacks NAME`: play an attack beside a bystander in another tenant, and print what it noticed."""

import argparse
import json
import logging
from pathlib import Path

from tests.attacks.floods import ATTACKS
from tests.attacks.trial import Report, play

HEAD = (
    "| attack | size | seconds | bystander's state p50 / p99 / longest | merge p50 / p99 / longest | worker's peak |\n"
    "|---|---|---|---|---|---|"
)


def main() -> None:
    """Parse, play, print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)}; default: all")
    parser.add_argument("--size", type=int, help="default: as large as the issue had it")
    parser.add_argument("--times", type=int, default=1, help="that size so many times")
    parser.add_argument("--minutes", type=float, default=10.0, help="give up after so many")
    parser.add_argument("--kafka", action="store_true", help="Apache Kafka in place of the sandbox's broker")
    parser.add_argument("--no-loader", action="store_true", help="without the loader, which takes CPU too")
    parser.add_argument("--json", type=Path, help="add each report to this file, one a line")
    arguments = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    for name in arguments.name:
        if name not in ATTACKS:
            parser.error(f"{name} is no attack: use one of {', '.join(ATTACKS)}")
    print(HEAD, flush=True)
    for name in arguments.name or ATTACKS:
        size = (arguments.size or ATTACKS[name].size) * arguments.times
        report = play(
            name, size, minutes=arguments.minutes, kafka=arguments.kafka, loader=not arguments.no_loader
        )
        print(row(report), flush=True)
        if arguments.json:
            with arguments.json.open("a") as file:
                file.write(json.dumps(report.to_dict()) + "\n")


def row(report: Report) -> str:
    """The lines of the table: before the attack in brackets; what the flood prepared on a line of its own."""
    took = f"{report.seconds}" if report.worked_off else "not worked off"
    peak = f"{report.worker_peak} MiB ({report.worker_before})"
    if report.restarts:
        peak += f", {report.restarts} restarts"
    if report.unanswered:
        peak += f", {report.unanswered} of {report.visits} visits unanswered"
    lines = [[report.attack, f"{report.size:,}", took, *_compared(report.attacked, report.quiet), peak]]
    if report.due is not None:
        lines.append([f"{report.attack}: due", "", "", *_compared(report.due, report.quiet), ""])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _compared(now: dict[str, list[float | None]], before: dict[str, list[float | None]]) -> list[str]:
    return [f"{_times(now[kind])} ({_times(before[kind])})" for kind in ("state", "merge")]


def _times(figures: list[float | None]) -> str:
    return " / ".join("-" if figure is None else f"{figure:.2f} s" for figure in figures)


if __name__ == "__main__":
    main()
