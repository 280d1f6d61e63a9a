"""`python -m tests.faults`: play faults and print the table. Exit code 1 if one does harm, or a control does none."""

import argparse
import logging
import random
import sys
from pathlib import Path

from rich.console import Console

from tests.faults.arena import Scale, arena, cwd_is_the_checkout
from tests.faults.catalogue import BY_NUMBER, FAULTS
from tests.faults.report import into, markdown, show, summary
from tests.faults.session import known, left, plan, play_all
from tests.faults.suite import Outcome

console = Console(width=200, highlight=False)


def main() -> int:
    """Parse, play, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--fault", type=int, action="append", choices=sorted(BY_NUMBER), help="only this one; repeatable"
    )
    which.add_argument("--all", action="store_true", help="every fault: the default")
    which.add_argument("--controlled", action="store_true", help="the faults that have controls")
    parser.add_argument("--seed", type=int, help="of the first repetition; default: drawn, and printed")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, with seeds that count up")
    parser.add_argument("--events", type=int, default=0, help="in place of each fault's own number")
    parser.add_argument("--minutes", type=float, default=0, help="begin no trial after so many")
    parser.add_argument("--long", action="store_true", help="outages of minutes and a soak of ten minutes")
    parser.add_argument("--short", action="store_true", help="each fault as `make test` plays it")
    parser.add_argument(
        "--part", type=part, default=(1, 1), metavar="K/N",
        help="each Nth trial from the Kth on: N processes play N parts beside each other, into one file of results",
    )  # fmt: skip
    arms = parser.add_mutually_exclusive_group()
    arms.add_argument("--no-control", action="store_true", help="leave the controls out")
    arms.add_argument("--control", action="store_true", help="only the controls")
    parser.add_argument(
        "--results",
        type=Path,
        help="append each outcome to this file, and play none that is there (needs --seed)",
    )
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    parser.add_argument(
        "--table", type=Path, metavar="RESULTS", help="only print the table of what --results has written"
    )
    parser.add_argument(
        "--into", type=Path, metavar="PAGE", help="put that table into a page, between its marks"
    )
    arguments = parser.parse_args()
    if arguments.table:
        outcomes = known(arguments.table)
        print(f"{summary(outcomes)}\n\n{markdown(outcomes)}")
        if arguments.into:
            arguments.into.write_text(into(arguments.into.read_text(), outcomes))
        return 0
    if arguments.into:
        parser.error("--into needs --table")
    if not cwd_is_the_checkout():
        parser.error("run it in the checkout: the variants of workers and loaders are started from there")
    if arguments.results and arguments.seed is None:
        parser.error("--results needs --seed: a drawn one would be played anew each time")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    seed = random.randrange(1, 900_000) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed}")
    chosen = [BY_NUMBER[number] for number in arguments.fault or [fault.number for fault in FAULTS]]
    if arguments.controlled:
        chosen = [fault for fault in FAULTS if fault.controls]
    scale = Scale.LONG if arguments.long else Scale.SHORT if arguments.short else Scale.USUAL
    runs = list(
        plan(
            chosen, range(seed, seed + arguments.repeat), scale,
            runs=not arguments.control, controls=not arguments.no_control, events=arguments.events,
        )
    )  # fmt: skip
    number, parts = arguments.part
    runs = runs[number - 1 :: parts]
    wanted = {run.key for run in runs}
    before = [
        o for o in known(arguments.results) if (o.fault, o.seed, o.control, o.scale, o.events) in wanted
    ]
    missing = left(runs, before)
    if before:
        console.print(f"{len(before)} outcomes are in {arguments.results}, {len(missing)} are left")
    outcomes = before + play_all(missing, arena, arguments.results, _say, arguments.minutes)
    show(outcomes, console)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(outcomes) + "\n")
    bad = [outcome for outcome in outcomes if not outcome.good]
    for outcome in bad:
        arm = " --control" if outcome.control else " --no-control"
        size = ("--short ", "", "--long ")[scale]
        console.print(
            f"not as it should be: python -m tests.faults {size}--fault {outcome.fault} --seed {outcome.seed}{arm}"
        )
    return 1 if bad else 0


def part(text: str) -> tuple[int, int]:
    """`K/N`: one of N parts. Raises ValueError for anything else."""
    number, parts = map(int, text.split("/"))
    if not 1 <= number <= parts:
        raise ValueError(f"{text} is no part")
    return number, parts


def _say(outcome: Outcome, progress: str) -> None:
    arm = f", without {outcome.control}" if outcome.control else ""
    parts = ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome.parts.items())
    console.print(
        f"{'ok ' if outcome.good else 'BAD'} {outcome.fault} {outcome.title}{arm} (seed {outcome.seed},"
        f" {outcome.seconds:.0f} s: {parts}; {outcome.restarts} restarts, {outcome.met} of {outcome.aimed} moments;"
        f" {progress}): {outcome.verdict}"
    )
    crashes = (f"{count} times: {line[:220]}" for line, count in outcome.crashes.items())
    kept = [f"its data is in {outcome.kept}"] if outcome.kept else []
    for line in (*crashes, *outcome.notes, *outcome.problems, *kept):
        console.print(f"    {line}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
