"""`python -m tests.cluster`: play the faults of a cluster and print the table. Exit code 1 if one does harm."""

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from deploy.sandbox import kafka_jars
from tests.cluster.arena import ClusterArena, cluster_arena
from tests.cluster.catalogue import BY_NAME
from tests.cluster.machine import NotPermittedError
from tests.cluster.namespace import enter
from tests.cluster.report import markdown, rows
from tests.cluster.suite import play, unplayed
from tests.faults.arena import Scale
from tests.faults.session import append, known
from tests.faults.suite import Outcome

console = Console(width=200, highlight=False)


def main() -> int:
    """Parse, play, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--fault", action="append", choices=[*BY_NAME], help="only this one; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of the first repetition")
    parser.add_argument("--repeat", type=int, default=1, help="repetitions, with seeds that count up")
    parser.add_argument("--events", type=int, default=0, help="in place of each fault's own number")
    parser.add_argument("--short", action="store_true", help="each fault as briefly as shows it")
    parser.add_argument("--combined", action="store_true", help="brokers are controllers, too")
    parser.add_argument(
        "--results", type=Path, help="append each outcome to this file, and play none that is there"
    )
    parser.add_argument(
        "--markdown", type=Path, help="write the table to this file; with --table, nothing else"
    )
    parser.add_argument("--table", action="store_true", help="play nothing: the table of --results")
    arguments = parser.parse_args()
    if not arguments.table:
        kafka_jars.fetch()  # from a network that this process is about to leave
        enter()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    scale = Scale.SHORT if arguments.short else Scale.USUAL
    outcomes = known(arguments.results)
    done = {(one.fault, one.seed, one.scale) for one in outcomes if one.good}
    wanted = [
        (BY_NAME[name], seed)
        for seed in range(arguments.seed, arguments.seed + arguments.repeat)
        for name in arguments.fault or BY_NAME
        if (BY_NAME[name].number, seed, scale) not in done
    ]
    with ExitStack() as servers:
        where: ClusterArena | None = None
        for fault, seed in [] if arguments.table else wanted:
            try:
                where = where or servers.enter_context(cluster_arena(separate=not arguments.combined))
                outcome = play(where, fault, seed, scale=scale, events=arguments.events)
            except NotPermittedError as error:
                console.print(f"left out {fault.name}: {error}", markup=False)
                continue
            except Exception as error:  # noqa: BLE001 (the other faults are worth playing, on new servers)
                outcome = unplayed(fault, seed, f"the harness: {type(error).__name__}: {error}", scale)
                servers.close()
                where = None
            outcomes.append(outcome)
            if arguments.results:
                append(arguments.results, outcome)
            _say(fault.name, outcome)
    for row in rows(outcomes):
        console.print(" | ".join(row), markup=False)
    if arguments.markdown:
        arguments.markdown.write_text(markdown(outcomes) + "\n")
    return 0 if all(one.good for one in outcomes) else 1


def _say(name: str, outcome: Outcome) -> None:
    word = "ok " if outcome.good else "BAD"
    console.print(f"{word} {name} (seed {outcome.seed}, {outcome.seconds:.0f} s): {outcome.verdict}")
    crashes = (f"{count} times: {line[:220]}" for line, count in outcome.crashes.items())
    for line in (*crashes, *outcome.notes, *outcome.problems):
        console.print(f"    {line[:600]}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
