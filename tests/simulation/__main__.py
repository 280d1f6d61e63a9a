"""Thousands of schedules: `python -m tests.simulation --schedules 5000`, with control arms by --control."""

import argparse
import logging
import sys
import time

from schemas.settings import CORES
from streams.core import choose_core
from tests.simulation.schedules import drawn, judge, shrunk
from tests.simulation.worker import Without
from tests.support.built_in import CATALOGUE, RULES


def main() -> int:
    """Exit code 1 if a schedule fails (0 with --control if one does)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first one; the others count up")
    parser.add_argument(
        "--control", action="store_true", help="switch each protection off and count what fails"
    )
    parser.add_argument("--core", choices=CORES, default="auto", help="the core that folds journeys")
    arguments = parser.parse_args()
    logging.getLogger("touchline.worker").setLevel(
        logging.ERROR
    )  # that a zombie stands down is what is simulated
    choose_core(arguments.core, CATALOGUE, RULES)
    seeds = range(arguments.seed, arguments.seed + arguments.schedules)
    if arguments.control:
        return _controls(seeds)
    started = time.perf_counter()
    for seed in seeds:
        failure = judge(drawn(seed))
        if failure is not None:
            print(f"seed {seed} fails; shrinking")
            print(shrunk(failure))
            return 1
        if seed % 1000 == 0:
            print(f"seed {seed}: right so far, {time.perf_counter() - started:.0f} s", flush=True)
    seconds = time.perf_counter() - started
    print(
        f"{len(seeds):,} schedules (seeds {seeds[0]} to {seeds[-1]}) end as the definition says, in {seconds:.0f} s"
    )
    return 0


def _controls(seeds: range) -> int:
    toothless = 0
    for without in Without:
        if without is not Without.NOTHING:
            failed = sum(judge(drawn(seed), without) is not None for seed in seeds)
            print(f"without {without.value}: {failed:,} of {len(seeds):,} schedules fail")
            toothless += not failed
    return 1 if toothless else 0


if __name__ == "__main__":
    sys.exit(main())
