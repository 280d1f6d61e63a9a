"""`python -m tests.faults`: play faults and print the table. Exit code 1 if one does harm, or a control does none."""

import argparse
import json
import logging
import random
import sys
from pathlib import Path

from rich.console import Console

from tests.faults.arena import Scale, arena, cwd_is_the_checkout
from tests.faults.catalogue import BY_NUMBER, FAULTS
from tests.faults.report import markdown, show
from tests.faults.suite import Outcome, play

console = Console(width=200, highlight=False)


def main() -> int:
    """Parse, play, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--fault", type=int, action="append", choices=sorted(BY_NUMBER), help="only this one; repeatable"
    )
    which.add_argument("--all", action="store_true", help="every fault: the default")
    parser.add_argument("--seed", type=int, help="of the first repetition; default: drawn, and printed")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, with seeds that count up")
    parser.add_argument("--events", type=int, default=0, help="in place of each fault's own number")
    parser.add_argument("--long", action="store_true", help="outages of minutes and a soak of ten minutes")
    parser.add_argument("--short", action="store_true", help="each fault as `make test` plays it")
    arms = parser.add_mutually_exclusive_group()
    arms.add_argument("--no-control", action="store_true", help="leave the control arms out")
    arms.add_argument("--control", action="store_true", help="only the control arms")
    parser.add_argument("--json", type=Path, help="write all outcomes to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    arguments = parser.parse_args()
    if not cwd_is_the_checkout():
        parser.error("run it in the checkout: the variants of workers and loaders are started from there")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    seed = random.randrange(1, 900_000) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed}")
    chosen = [BY_NUMBER[number] for number in arguments.fault or [fault.number for fault in FAULTS]]
    scale = Scale.LONG if arguments.long else Scale.SHORT if arguments.short else Scale.USUAL
    outcomes: list[Outcome] = []
    with arena() as where:
        for fault in chosen:
            for repetition in range(arguments.repeat):
                for control in (False, True):
                    if control and (fault.control is None or arguments.no_control):
                        continue
                    if arguments.control and not control:
                        continue
                    outcome = play(
                        where,
                        fault,
                        seed + repetition,
                        control=control,
                        scale=scale,
                        events=arguments.events,
                    )
                    outcomes.append(outcome)
                    _say(outcome)
                    if arguments.json:
                        arguments.json.write_text(json.dumps([one.to_dict() for one in outcomes], indent=1))
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


def _say(outcome: Outcome) -> None:
    arm = f", without: {outcome.control}" if outcome.control else ""
    console.print(
        f"{'ok ' if outcome.good else 'BAD'} {outcome.fault} {outcome.title}{arm} (seed {outcome.seed},"
        f" {outcome.seconds:.0f} s, {outcome.restarts} restarts): {outcome.verdict}"
    )
    crashes = (f"{count} times: {line[:220]}" for line, count in outcome.crashes.items())
    for line in (*crashes, *outcome.notes, *outcome.problems):
        console.print(f"    {line}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
