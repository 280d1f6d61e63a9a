"""`python -m tests.fuzz --minutes 5 --seed 1`: how many inputs each edge was given, and which ones crashed it."""

import argparse
import resource
import sys
import time
import traceback
from collections import Counter
from random import Random

from tests.fuzz.edges import Edge, edges, tried
from tests.fuzz.http import SERVICES, requests
from tests.fuzz.mutate import mutated

#: What the process may grow by after the first round.
MOST_GROWTH_KIB = 200 * 1024
#: What one input may take, in CPU seconds: mutations have at most 1 MiB.
MOST_SECONDS = 5.0
REQUESTS_A_MINUTE = 500


def inputs(edge: Edge, random: Random, count: int) -> int:
    """Give an edge so many inputs. Returns how many it accepted. Raises AssertionError with the input at a crash."""
    accepted = 0
    for _ in range(count):
        data = mutated(random.choice(edge.right), edge.right, random)
        began = time.process_time()
        try:
            accepted += tried(edge, data)
        except Exception as error:
            trace = "".join(traceback.format_exception(error)[-4:])
            raise AssertionError(f"{edge.name} crashed on {data[:4000]!r}\n{trace}") from error
        took = time.process_time() - began
        assert took < MOST_SECONDS, f"{edge.name} took {took:.1f} s for {data[:4000]!r}"
    return accepted


def main() -> int:
    """Exit code 1 if an edge crashed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edge", default="", help="only edges whose name contains this")
    arguments = parser.parse_args()
    chosen = [edge for edge in edges() if arguments.edge in edge.name]
    random, until = Random(arguments.seed), time.monotonic() + arguments.minutes * 60
    given, accepted, crashed = Counter[str](), Counter[str](), set[str]()
    first = 0
    while time.monotonic() < until and len(crashed) < len(chosen):
        for edge in chosen:
            if edge.name in crashed:
                continue
            try:
                accepted[edge.name] += inputs(edge, random, 50)
                given[edge.name] += 50
            except AssertionError as error:
                crashed.add(edge.name)
                print(error, flush=True)
        first = first or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first
    for edge in chosen:
        verdict = ", CRASHED" if edge.name in crashed else ""
        print(f"{edge.name:47} {given[edge.name]:>9,} inputs, {accepted[edge.name]:>8,} accepted{verdict}")
    count = int(arguments.minutes * REQUESTS_A_MINUTE)
    for name in SERVICES:
        if arguments.edge in name:
            try:
                answers = requests(name, count, random)
                print(f"{name:47} {count:>9,} requests, by status {dict(sorted(answers.items()))}")
            except AssertionError as error:
                crashed.add(name)
                print(error, flush=True)
    print(
        f"{sum(given.values()):,} inputs, {len(crashed)} edges crashed,"
        f" peak memory grew by {growth / 1024:.0f} MiB after the first {50 * len(chosen)}"
    )
    return 1 if crashed or growth > MOST_GROWTH_KIB else 0


if __name__ == "__main__":
    sys.exit(main())
